// The window in Chromium under the product's own content policy, from a build on disk: no server, no network, a clock that stands still.

import { readFileSync } from "node:fs";
import { extname, join } from "node:path";

import { chromium, type Browser, type Page } from "playwright-core";

import { NOW, type Scene } from "../gallery";

const HOME = "http://tidegate.test/";
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2" };
export const USUAL = { width: 640, height: 740 };

export interface Look {
  dark: boolean;
  scale: number;
  size: { width: number; height: number };
}

export function open(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["TIDEGATE_CHROMIUM"] ?? "/usr/bin/chromium",
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb", "--disable-gpu", "--password-store=basic"],
  });
}

/** Plays one scene of the gallery to where its picture is taken. */
export async function play(browser: Browser, folder: string, scene: Scene, look: Look): Promise<Page> {
  const context = await browser.newContext({
    viewport: look.size,
    deviceScaleFactor: look.scale,
    colorScheme: look.dark ? "dark" : "light",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") throw new Error(`the window complained: ${message.text()}`);
  });
  await page.route("**/*", (route) => {
    const path = new URL(route.request().url()).pathname;
    const file = path === "/" ? "/index.html" : path;
    return route.fulfill({
      body: readFileSync(join(folder, file)),
      contentType: TYPES[extname(file)] ?? "text/plain",
      headers: { "content-security-policy": policy() },
    });
  });
  await page.clock.install({ time: NOW * 1000 });
  await page.goto(HOME);
  await page.clock.pauseAt(NOW * 1000 + 60_000);
  await page.evaluate(loadFonts);
  for (const view of [scene.view, ...(scene.then ?? [])]) {
    await page.evaluate((view) => (globalThis as unknown as { show: (view: unknown) => void }).show(view), view);
    await page.clock.runFor(1000);
  }
  for (const id of scene.clicks ?? []) await page.getByTestId(id).click();
  for (const key of scene.keys ?? []) await press(page, key);
  await page.evaluate(() => document.fonts.ready);
  return page;
}

async function press(page: Page, key: string): Promise<void> {
  if (key.startsWith("paste:")) await page.keyboard.insertText(key.slice("paste:".length));
  else if (key.startsWith("type:")) await page.keyboard.type(key.slice("type:".length));
  else await page.keyboard.press(key);
}

/** Every letter before the first state is shown: one that comes later moves what a click waits for to stand still, and the clock stands. */
function loadFonts(): Promise<unknown> {
  return Promise.all([...document.fonts].map((face) => face.load()));
}

/** The product's, and leave to load the pictures' own fonts. */
function policy(): string {
  const config = JSON.parse(readFileSync(join(import.meta.dirname, "../../../src-tauri/tauri.conf.json"), "utf8")) as {
    app: { security: { csp: string } };
  };
  return `${config.app.security.csp}; font-src 'self'`;
}
