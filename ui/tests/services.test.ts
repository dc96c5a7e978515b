import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { badLink, connected, scene, portTaken, signedIn, warehouse } from "./gallery";
import { byId, maybeById, stage } from "./stage";

test("an idle service is one click from open", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse({ is: "idle" })));

  await user.click(byId("connect-warehouse"));

  expect(asked).toEqual([{ do: "connect", service: "acme/warehouse" }]);
});

test("an open service shows port, time left, and how to use it", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse(connected)));

  expect(byId("state-warehouse").dataset["state"]).toBe("connected");
  expect(byId("left-warehouse").textContent).toContain("9 h 59 min left");
  expect(byId("address-warehouse").textContent).toBe("localhost:15432");
  await user.click(byId("copy-warehouse"));
  await user.click(byId("copy-menu-warehouse"));
  await user.click(byId("copy-warehouse-psql"));
  await user.click(byId("disconnect-warehouse"));

  expect(asked).toEqual([
    { do: "copy", what: { is: "connection", service: "acme/warehouse", form: "url" } },
    { do: "copy", what: { is: "connection", service: "acme/warehouse", form: "psql" } },
    { do: "disconnect", service: "acme/warehouse" },
  ]);
});

test("says what was copied", async () => {
  await stage(signedIn({ ...warehouse(connected), copied: "url" }));

  expect(byId("copy-warehouse").textContent?.trim()).toBe("Copied");
  expect(byId("copy-warehouse").getAttribute("aria-label")).toBe("Copied URL of warehouse");
});

test("a connection under way can be called off", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse({ is: "connecting", step: "asking the outlet" })));

  expect(byId("state-warehouse").textContent).toContain("asking the outlet");
  await user.click(byId("disconnect-warehouse"));

  expect(asked).toEqual([{ do: "disconnect", service: "acme/warehouse" }]);
});

test("a failed service says why, what to do, and can be tried again", async () => {
  const problem = { ...badLink, code: "TG-5001", title: "The database is closed", cause: "Nobody answers." };
  await stage(signedIn(warehouse({ is: "failed", problem })));

  expect(byId("problem-TG-5001").textContent).toContain("Nobody answers.");
  expect(byId("connect-warehouse").textContent?.trim()).toBe("Try again");
});

test("a problem can be acted on and dismissed", async () => {
  const user = userEvent.setup();
  const problem = { ...badLink, code: "TG-3001", button: { label: "Sign in", intent: { do: "sign_in", org: "acme" } as const } };
  const { asked } = await stage({ ...signedIn(), problems: [problem] });

  await user.click(byId("problem-act-TG-3001"));
  await user.click(byId("problem-dismiss-TG-3001"));

  expect(byId("problem-TG-3001").getAttribute("role")).toBe("alert");
  expect(asked).toEqual([{ do: "sign_in", org: "acme" }, problem.dismiss]);
});

test("what others wrote never becomes markup", async () => {
  const hostile = "<img src=x onerror=alert(1)>";
  await stage(signedIn({ ...warehouse(connected), title: hostile }));

  expect(document.querySelector("img")).toBeNull();
  expect(byId("service-warehouse").textContent).toContain(hostile);
});

test("no service is explained, not left blank", async () => {
  await stage(signedIn());

  expect(byId("no-services").textContent).toContain("Ask your administrator");
});

test("a long list can be searched", async () => {
  const user = userEvent.setup();
  const many = [..."abcdefgh"].map((letter) => ({ ...warehouse({ is: "idle" }), id: `acme/db-${letter}`, name: `db-${letter}` }));
  await stage(signedIn(...many));

  await user.type(byId("search"), "db-c");

  expect(maybeById("service-db-c")).not.toBeNull();
  expect(maybeById("service-db-a")).toBeNull();
});

test("open services come first", async () => {
  await stage(signedIn({ ...warehouse({ is: "idle" }), id: "acme/archive", name: "archive" }, warehouse(connected)));

  const names = [...document.querySelectorAll<HTMLElement>("[data-service]")].map((row) => row.dataset["testid"]);
  expect(names).toEqual(["service-warehouse", "service-archive"]);
});

test("leaving asks first, and quitting says what it ends", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse(connected)));

  expect(byId("quit").textContent).toContain("disconnect 1 service");
  await user.click(byId("settings"));
  await user.click(byId("leave"));
  expect(asked).toEqual([]);
  await user.click(byId("leave-sure"));

  expect(asked).toEqual([{ do: "leave", org: "acme" }]);
});

test("a taken port is left behind with one click", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(signedIn(warehouse({ is: "failed", problem: portTaken })));

  await user.click(byId("problem-act-TG-6001"));

  expect(asked).toEqual([portTaken.button?.intent]);
});

test("two orgs may have a service of the same name", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(scene("two-orgs").view);

  await user.click(byId("connect-beta/warehouse"));

  expect(byId("state-acme/warehouse").dataset["state"]).toBe("connected");
  expect(asked).toEqual([{ do: "connect", service: "beta/warehouse" }]);
});

test("a service goes into pg_service.conf when that is asked for, and its name there is said", async () => {
  const user = userEvent.setup();
  const { asked, show } = await stage(signedIn(warehouse(connected)));

  await user.click(byId("copy-menu-warehouse"));
  await user.click(byId("write-pg-service-warehouse"));
  await show(scene("wrote").view);

  expect(asked).toEqual([{ do: "write_pg_service", service: "acme/warehouse" }]);
  expect(byId("wrote-warehouse").textContent).toContain("psql service=warehouse");
  expect(byId("said").textContent).toContain("psql service=warehouse");
});
