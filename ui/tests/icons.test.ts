// The pictures of the tray: whoever does not see their colours tells them apart by their shapes, on light panels and on dark ones.
// A newcomer would compare colours: here only what is drawn and what is left empty counts.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { PNG } from "pngjs";
import { expect, test } from "vitest";

const STATES = ["off", "connecting", "connected", "problem"];
const PANELS = ["dark", "light"];

function picture(state: string, panel: string): PNG {
  return PNG.sync.read(readFileSync(join(import.meta.dirname, `../../icons/tray/${state}-on-${panel}.png`)));
}

/** For each pixel, whether something is drawn there. */
function shape(state: string, panel: string): boolean[] {
  const { data } = picture(state, panel);
  return Array.from({ length: data.length / 4 }, (_, place) => (data[4 * place + 3] ?? 0) > 127);
}

function brightness(state: string, panel: string): number {
  const { data } = picture(state, panel);
  const drawn = Array.from({ length: data.length / 4 }, (_, place) => 4 * place).filter((at) => (data[at + 3] ?? 0) > 127);
  const sum = drawn.reduce((sum, at) => sum + (data[at] ?? 0) + (data[at + 1] ?? 0) + (data[at + 2] ?? 0), 0);
  return sum / (3 * drawn.length);
}

const pairs = STATES.flatMap((one, place) => STATES.slice(place + 1).map((other) => [one, other] as const));

test.each(pairs)("%s and %s differ in shape, not only in colour", (one, other) => {
  for (const panel of PANELS) {
    const [a, b] = [shape(one, panel), shape(other, panel)];
    const drawn = a.filter((is, place) => is || b[place]).length;
    const differs = a.filter((is, place) => is !== b[place]).length;

    expect(differs / drawn, `on ${panel}`).toBeGreaterThan(0.08);
  }
});

test.each(STATES)("%s is light on dark panels and dark on light ones, in the same shape", (state) => {
  expect(shape(state, "dark")).toEqual(shape(state, "light"));
  expect(brightness(state, "dark") - brightness(state, "light")).toBeGreaterThan(50);
});
