// Where a button leads: to another start, to the settings, to the field for a join link.

import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { notJoined, scene, signedOut } from "./gallery";
import { byId, maybeById, stage } from "./stage";

test("what could not start can be started again", async () => {
  const user = userEvent.setup();
  const { asked } = await stage(scene("broken").view);

  await user.click(byId("try-again"));

  expect(asked).toEqual([{ do: "try_again", org: null }]);
});

test("a button leads into the settings, and only once", async () => {
  const { asked, show } = await stage(signedOut);

  await show({ ...signedOut, go: "settings" });

  expect(document.activeElement?.id).toBe("settings-title");
  expect(maybeById("join-link")).toBeNull();
  expect(asked).toEqual([{ do: "shown" }]);
});

test("a button leads to the field for another link", async () => {
  const { asked, show } = await stage(signedOut);

  await show({ ...signedOut, go: "join" });

  expect(document.activeElement).toBe(byId("join-link"));
  expect(asked).toEqual([{ do: "shown" }]);
});

test("where nothing is joined yet the field is on the first page", async () => {
  const { show } = await stage(notJoined);

  await show({ ...notJoined, go: "join" });

  expect(document.activeElement).toBe(byId("join-link"));
  expect(document.querySelector("#settings-title")).toBeNull();
});
