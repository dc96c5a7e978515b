import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte(), svelteTesting({ autoCleanup: false })],
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  // The policy of the window allows no inline script and no data: font, so nothing may be inlined.
  build: { target: "safari16", assetsInlineLimit: 0, modulePreload: false },
  test: { environment: "jsdom", include: ["tests/*.test.ts"], setupFiles: ["tests/setup.ts"] },
});
