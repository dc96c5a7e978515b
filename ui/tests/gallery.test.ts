// Every state, by the rules of accessibility that need no eyes. Contrast and clipping are looked at in a browser: see tests/pictures.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import axe from "axe-core";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import type { View } from "../src/bindings/view";
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

/** Where the window finds each union that Rust generates, and the values that a view has of it. */
const UNIONS: Record<string, (view: View) => (string | undefined)[]> = {
  Page: (view) => [view.page],
  Account: (view) => view.orgs.map(({ account }) => account.is),
  Hub: (view) => view.orgs.map(({ hub }) => hub.is),
  State: (view) => view.orgs.flatMap(({ services }) => services.map(({ state }) => state.is)),
  Arrival: (view) => [view.arrived?.is],
  Asking: (view) => view.orgs.map(({ devices }) => devices.asking?.is),
  RequestState: (view) => view.orgs.flatMap(({ devices }) => devices.requests.map(({ state }) => state.is)),
  AccessState: (view) => view.orgs.flatMap(({ access }) => [...access.waiting, ...access.own, ...access.given].map(({ state }) => state.is)),
  Level: (view) => [...view.problems, ...view.orgs.flatMap(({ problems }) => problems)].map(({ severity }) => severity),
};

test.each(Object.entries(UNIONS))("every %s that Rust can say has a picture", (name, of) => {
  const bindings = readFileSync(join(import.meta.dirname, "../src/bindings/view.ts"), "utf8");
  const said = new RegExp(`^export type ${name} = (.*?);$`, "ms").exec(bindings)?.[1] ?? "";
  const tagged = [...said.matchAll(/"is": "(\w+)"/g)];
  const all = (tagged.length > 0 ? tagged : [...said.matchAll(/"(\w+)"/g)]).map(([, variant]) => variant);
  const drawn = new Set(Object.values(gallery).flatMap(({ view, then }) => [view, ...(then ?? [])].flatMap(of)));

  expect(all.length).toBeGreaterThan(1);
  expect(all.filter((variant) => !drawn.has(variant))).toEqual([]);
});
