// Looks at every state of the window in a real browser: the picture that is kept, contrast and structure by axe, and that nothing is cut off.
// A newcomer would renew pictures until the test is quiet: look at `tests/out/pictures` first, then `npm run pictures:renew`, then look at the diff.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pixelmatch from "pixelmatch";
import type { Browser, Page } from "playwright-core";
import { PNG } from "pngjs";
import { afterAll, beforeAll, expect, test } from "vitest";

import { crowd, gallery, scene as sceneCalled, signedOut, type Scene } from "../gallery";
import { open, play, USUAL, type Look } from "./browser";

const KEPT = join(import.meta.dirname, "../../../tests/pictures/window");
const OUT = join(import.meta.dirname, "../../../tests/out/pictures");
const AXE = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");
const RENEW = process.env["TIDEGATE_RENEW_PICTURES"] !== undefined;
/** How different a pixel may be, and what part of all: other versions of the browser draw edges a little differently. */
const PIXEL = 0.15;
const PART = 0.002;
/** These are kept twice as fine, too. */
const FINE = ["connected", "not-joined"];

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidegate-pictures-"));
  buildInto(folder);
  browser = await open();
  mkdirSync(KEPT, { recursive: true });
  mkdirSync(OUT, { recursive: true });
}, 120_000);

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const looks = Object.entries(gallery).flatMap(([name, scene]) => [false, true].map((dark) => ({ name, scene, dark })));

test.each(looks)("$name, dark: $dark", async ({ name, scene, dark }) => {
  const size = scene.size ?? USUAL;
  await look(scene, { dark, scale: 1, size }, async (page) => {
    compare(`${name}${dark ? "-dark" : ""}.png`, await page.screenshot({ animations: "disabled" }));
    expect(await cutOff(page)).toEqual([]);
    expect(await faults(page, scene)).toEqual([]);
  });
});

test.each(FINE)("%s, twice as fine", async (name) => {
  const scene = sceneCalled(name);
  await look(scene, { dark: false, scale: 2, size: USUAL }, async (page) => {
    compare(`${name}@2x.png`, await page.screenshot({ animations: "disabled" }));
  });
});

test.each(Object.keys(gallery))("%s is not cut off at 320 pixels, nor at 200 %%", async (name) => {
  await look(sceneCalled(name), { dark: false, scale: 1, size: { width: 320, height: 370 } }, async (page) => {
    expect(await cutOff(page)).toEqual([]);
  });
});

/** Those that stand for the rest where walking takes long. */
const walked = Object.entries(gallery).filter(([, scene]) => scene.view.orgs.every((org) => org.services.length < 20));

test.each(walked)("%s can be used without a mouse, and one sees where one is", async (_name, scene) => {
  await look(scene, { dark: false, scale: 1, size: USUAL }, async (page) => {
    expect(await unreachable(page)).toEqual([]);
  });
});

test("five hundred services are all drawn, and drawn again; how fast is printed, not judged", async () => {
  await look({ view: signedOut }, { dark: false, scale: 1, size: USUAL }, async (page) => {
    const draw = (view: unknown) =>
      page.evaluate(
        (view) => {
          const before = performance.timeOrigin + performance.now();
          (globalThis as unknown as { show: (view: unknown) => void }).show(view);
          return Promise.resolve().then(() => {
            document.body.getBoundingClientRect();
            return performance.timeOrigin + performance.now() - before;
          });
        },
        view,
      );
    await page.clock.resume();
    const first = await draw(crowd(500));
    const again = await draw(crowd(500));

    console.log(`500 services: ${first.toFixed(0)} ms, again ${again.toFixed(0)} ms`);
    expect(await page.locator("[data-service]").count()).toBe(500);
  });
});

test("no picture is kept of a state that is gone", () => {
  const wanted = new Set([...looks.map(({ name, dark }) => `${name}${dark ? "-dark" : ""}.png`), ...FINE.map((name) => `${name}@2x.png`)]);
  const stray = readdirSync(KEPT).filter((file) => !wanted.has(file));
  if (RENEW) for (const file of stray) rmSync(join(KEPT, file));

  expect(RENEW ? [] : stray).toEqual([]);
});

/** In a process of its own: what is built under a test runner is not what is shipped. */
function buildInto(folder: string): void {
  const home = join(import.meta.dirname, "../..");
  const env = { ...process.env, NODE_ENV: "production", VITEST: undefined };
  const words = ["node_modules/vite/bin/vite.js", "build", import.meta.dirname, "--config", "vite.config.ts", "--outDir", folder, "--emptyOutDir"];
  execFileSync(process.execPath, words, { cwd: home, env, stdio: "pipe" });
}

async function look(scene: Scene, look: Look, at: (page: Page) => Promise<void>): Promise<void> {
  const page = await play(browser, folder, scene, look);
  await at(page).finally(() => page.context().close());
}

function compare(file: string, taken: Buffer): void {
  const kept = join(KEPT, file);
  if (RENEW || !existsSync(kept)) {
    if (!RENEW) expect.fail(`there is no picture ${file} yet: run \`npm --prefix ui run pictures:renew\` and look at it`);
    // One that is as good as the same stays as it is, so that a renewal changes only what changed.
    if (existsSync(kept) && difference(readFileSync(kept), taken) === 0) return;
    return writeFileSync(kept, taken);
  }
  const part = difference(readFileSync(kept), taken, join(OUT, `diff-${file}`));
  if (part > PART) {
    writeFileSync(join(OUT, file), taken);
    expect.fail(
      `${file} looks different in ${(part * 100).toFixed(2)} % of its pixels: see tests/out/pictures/diff-${file}. ` +
        "If it should, run `npm --prefix ui run pictures:renew` and look at what changed.",
    );
  }
}

/** The part of pixels that differ, from 0 to 1. */
function difference(one: Buffer, other: Buffer, where?: string): number {
  const [a, b] = [PNG.sync.read(one), PNG.sync.read(other)];
  if (a.width !== b.width || a.height !== b.height) return 1;
  const drawn = new PNG({ width: a.width, height: a.height });
  const count = pixelmatch(a.data, b.data, drawn.data, a.width, a.height, { threshold: PIXEL });
  if (where && count > 0) writeFileSync(where, PNG.sync.write(drawn));
  return count / (a.width * a.height);
}

/** What is wider than its place, on the page or in a box that does not say so with an ellipsis. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide = document.documentElement.scrollWidth > innerWidth ? [`the page is ${document.documentElement.scrollWidth} wide`] : [];
    const boxes = [...document.querySelectorAll<HTMLElement>("body *")].filter((element) => {
      const style = getComputedStyle(element);
      const hides = style.overflowX !== "visible" && style.textOverflow !== "ellipsis" && !element.classList.contains("unseen");
      const fine = ["TEXTAREA", "INPUT", "BDI", "SVG"].includes(element.tagName.toUpperCase());
      return hides && !fine && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
    });
    return [...wide, ...boxes.map((element) => element.outerHTML.slice(0, 120))];
  });
}

/** Presses Tab once round the window, and the arrows in the lists. What can be clicked but was not come by, or shows no ring, is named. */
async function unreachable(page: Page): Promise<string[]> {
  // Radios are one stop, too; the arrows among them are the browser's own.
  const clickable = "button:not(:disabled), a[href], input:not(:disabled, [type=radio]:not(:checked)), textarea:not(:disabled), summary";
  const seen = new Set<string>();
  const blind = new Set<string>();
  const here = async () => {
    const at = await page.evaluate((clickable) => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
      const place = [...document.querySelectorAll(clickable)].indexOf(element);
      return { place: `${place}`, ring: ring || style.boxShadow !== "none", name: element.outerHTML.slice(0, 90) };
    }, clickable);
    if (!at) return null;
    seen.add(at.place);
    if (at.place !== "-1" && !at.ring) blind.add(`no ring: ${at.name}`);
    return at.place;
  };
  const count = await page.locator(clickable).count();
  for (let round = 0; round < count + 4; round += 1) {
    await page.keyboard.press("Tab");
    await here();
  }
  // A list is one stop: from there the arrows lead to each row, and Tab through what the row holds.
  for (const list of await page.locator("ul:has([data-service])").all()) {
    const rows = await list.locator("[data-service]").count();
    for (let row = 0; row < rows; row += 1) {
      await list.locator('button[tabindex="0"]').first().focus();
      await page.keyboard.press("Home");
      for (let down = 0; down < row; down += 1) await page.keyboard.press("ArrowDown");
      await here();
      for (let stop = 0; stop < 5; stop += 1) {
        await page.keyboard.press("Tab");
        await here();
      }
    }
  }
  const missed = await page.evaluate(
    ({ clickable, seen }) =>
      [...document.querySelectorAll<HTMLElement>(clickable)]
        .map((element, place) => ({ element, place: `${place}` }))
        .filter(({ element, place }) => element.checkVisibility() && !seen.includes(place))
        .map(({ element }) => `not reached: ${element.outerHTML.slice(0, 90)}`),
    { clickable, seen: [...seen] },
  );
  return [...missed, ...blind];
}

/** What axe has to say. It looks at one screen of a long list: the other rows are made the same way. */
async function faults(page: Page, scene: Scene): Promise<string[]> {
  await page.clock.resume();
  const long = scene.view.orgs.some((org) => org.services.length > 20);
  await page.evaluate(AXE);
  return page.evaluate(async (long) => {
    const { axe } = globalThis as unknown as { axe: { run: (where: object) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    const where = long ? { include: [["body"]], exclude: [["li:nth-child(n + 12)"]] } : { include: [["body"]] };
    const { violations } = await axe.run(where);
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  }, long);
}
