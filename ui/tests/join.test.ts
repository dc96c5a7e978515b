import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { badLink, notJoined, scene } from "./gallery";
import { byId, maybeById, stage } from "./stage";

const link = "tidegate://join?hub=hub.acme.example:443&org=acme";
const acme = { org: "acme", address: "hub.acme.example:443", root: "abcd efgh", invitation: true };

test("shows where a link leads before it joins", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(notJoined, () => acme);

  await user.click(byId("join-link"));
  await user.paste(`  ${link}\n`);

  expect(byId("join-org").textContent).toBe("acme");
  expect(byId("join-address").textContent).toBe("hub.acme.example:443");
  expect(asked).toEqual([]);
  await user.click(byId("join-button"));
  expect(asked).toEqual([{ do: "join", link }]);
});

test("Enter joins, so that no mouse is needed", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(notJoined, () => acme);

  await user.click(byId("join-link"));
  await user.paste(link);
  await user.keyboard("{Enter}");

  expect(asked).toEqual([{ do: "join", link }]);
});

test("says what is wrong with a link, and does not act on it", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(notJoined, () => {
    throw badLink;
  });

  await user.click(byId("join-link"));
  await user.paste("tidegate://jo");
  await user.keyboard("{Enter}");

  expect(byId("join-error").textContent).toContain(badLink.next);
  expect(byId("join-link").getAttribute("aria-invalid")).toBe("true");
  expect(byId("join-button")).toHaveProperty("disabled", true);
  expect(asked).toEqual([]);
});

test("an empty field is no mistake", async () => {
  const user = userEvent.setup();
  await stage(notJoined);

  await user.type(byId("join-link"), "x");
  await user.clear(byId("join-link"));

  expect(maybeById("join-error")).toBeNull();
});

test("while joining nothing can be sent twice", async () => {
  const { show } = await stage(notJoined, () => acme);

  await show({ ...notJoined, joining: true });

  expect(byId("join-button")).toHaveProperty("disabled", true);
  expect(byId("join-button").textContent).toContain("Joining…");
});

test("a link without an invitation says both things it may be, and goes on by its own button only", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(notJoined, () => ({ ...acme, invitation: false }));

  await user.click(byId("join-link"));
  await user.paste(link);
  await user.keyboard("{Enter}");

  const said = byId("no-invitation").textContent ?? "";
  expect(said).toContain("another computer of yours");
  expect(said).toContain("cut short");
  expect(asked).toEqual([]);
  expect(byId("join-button").textContent?.trim()).toBe("Ask my other computer");
  await user.click(byId("join-button"));
  expect(asked).toEqual([{ do: "join", link }]);
});

test("a computer that is not in yet says what comes after signing in", async () => {
  await stage(scene("second-device-signed-out").view);

  expect(byId("new-here").textContent).toContain("your other computer");
});
