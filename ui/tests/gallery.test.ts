// Every state, by the rules of accessibility that need no eyes. Contrast and clipping are looked at in a browser: see tests/pictures.

import axe from "axe-core";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { gallery } from "./gallery";
import { byId, stage } from "./stage";

const goodLink = { org: "acme", address: "hub.acme.example:443", root: "abcd efgh", invitation: true };

// axe needs minutes for hundreds of services in jsdom: the browser looks at those.
const small = Object.entries(gallery).filter(([, scene]) => scene.view.orgs.every((org) => org.services.length < 20));

test.each(small)("%s is in order for a screen reader", async (_name, scene) => {
  const user = userEvent.setup();
  await stage(scene.view, () => goodLink);
  for (const id of scene.clicks ?? []) await user.click(byId(id));

  const { violations } = await axe.run(document, { rules: { "color-contrast": { enabled: false }, "document-title": { enabled: false }, "html-has-lang": { enabled: false } } });

  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("\n")}`)).toEqual([]);
});
