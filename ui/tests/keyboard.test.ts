import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { connected, crowd, service, signedIn, warehouse } from "./gallery";
import { byId, maybeById, stage } from "./stage";

const three = signedIn(...["one", "two", "three"].map((name, place) => service(name, "", 15000 + place, { is: "idle" })));

test("a list is one stop for Tab, and the arrows go through it", async () => {
  const user = userEvent.setup();
  await stage(three);

  byId("connect-one").focus();
  await user.keyboard("{ArrowDown}");
  expect(document.activeElement).toBe(byId("connect-two"));
  await user.keyboard("{End}");
  expect(document.activeElement).toBe(byId("connect-three"));
  await user.keyboard("{ArrowDown}{Home}{ArrowUp}");
  expect(document.activeElement).toBe(byId("connect-one"));

  await user.tab();
  expect(document.activeElement).toBe(byId("copy-menu-one"));
  await user.tab();
  expect(document.activeElement?.closest("[data-service]")).toBeNull();
});

test("the focus stays on a service that moves up", async () => {
  const user = userEvent.setup();
  const { asked, show } = await stage(three);

  byId("connect-three").focus();
  await user.keyboard("{Enter}");
  await show(signedIn(service("three", "", 15002, connected), service("one", "", 15000, { is: "idle" }), service("two", "", 15001, { is: "idle" })));

  expect(asked).toEqual([{ do: "connect", service: "acme/three" }]);
  expect(document.activeElement).toBe(byId("disconnect-three"));
});

test("the copy menu does what menus do", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse(connected)));
  const button = byId("copy-menu-warehouse");

  button.focus();
  await user.keyboard("{Enter}");
  expect(document.activeElement).toBe(byId("copy-warehouse-url"));
  expect(byId("copy-menu-warehouse").getAttribute("aria-expanded")).toBe("true");
  await user.keyboard("{ArrowUp}");
  expect(document.activeElement).toBe(byId("write-pg-service-warehouse"));
  await user.keyboard("j");
  expect(document.activeElement).toBe(byId("copy-warehouse-jdbc"));
  await user.keyboard("{Escape}");
  expect(maybeById("menu-warehouse")).toBeNull();
  expect(document.activeElement).toBe(button);

  await user.keyboard("{Enter}p{Enter}");
  expect(asked).toEqual([{ do: "copy", what: { is: "connection", service: "acme/warehouse", form: "psql" } }]);
  expect(document.activeElement).toBe(button);
});

test("a slash leads to the search, Escape empties it, an arrow goes on to what was found", async () => {
  const user = userEvent.setup();
  await stage(crowd(20));

  await user.keyboard("/");
  expect(document.activeElement).toBe(byId("search"));
  await user.keyboard("service-01/");
  expect(byId("search")).toHaveProperty("value", "service-01/");
  await user.keyboard("{Backspace}{ArrowDown}");
  expect(document.activeElement).toBe(byId("connect-service-010"));
  byId("search").focus();
  await user.keyboard("{Escape}");
  expect(maybeById("service-service-000")).not.toBeNull();
});

test("settings open and close by keyboard, and the focus comes back", async () => {
  const user = userEvent.setup();
  await stage(three);

  byId("settings").focus();
  await user.keyboard("{Enter}");
  expect(document.activeElement?.id).toBe("settings-title");
  await user.keyboard("{Escape}");
  expect(document.activeElement).toBe(byId("settings"));
  await user.keyboard("{Control>},{/Control}");
  expect(document.activeElement?.id).toBe("settings-title");
});
