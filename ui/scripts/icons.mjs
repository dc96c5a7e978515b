// Renders the pictures in icons/ from their SVG sources: run `npm run icons` after changing one.
// The tool is fetched when needed: it is not a dependency, because not every registry has it for every platform, and `npm ci` then fails.
// The tray sources are drawn for a light panel; the ones for a dark panel differ in colour only, so they are derived.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const icons = fileURLToPath(new URL("../../icons/", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "tidegate-icons-"));
const onDarkPanel = { "#1d2a30": "#f4f7f8", "#0f766e": "#2dd4bf", "#b45309": "#fbbf24" };

function render(source, ...options) {
  execFileSync("npx", ["--yes", "@tauri-apps/cli@2.12.5", "icon", source, "--output", scratch, ...options], { stdio: "ignore" });
}

for (const state of ["off", "connecting", "connected", "problem"]) {
  const light = readFileSync(join(icons, "tray", `${state}.svg`), "utf8");
  const dark = light.replace(/#[0-9a-f]{6}/g, (colour) => onDarkPanel[colour]);
  for (const [panel, svg] of [["light", light], ["dark", dark]]) {
    const source = join(scratch, "source.svg");
    writeFileSync(source, svg);
    render(source, "--png", "64");
    copyFileSync(join(scratch, "64x64.png"), join(icons, "tray", `${state}-on-${panel}.png`));
  }
}

render(join(icons, "app.svg"));
for (const file of ["32x32.png", "128x128.png", "128x128@2x.png", "icon.png", "icon.icns", "icon.ico"]) {
  copyFileSync(join(scratch, file), join(icons, "app", file));
}
rmSync(scratch, { recursive: true });
