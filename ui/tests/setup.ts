import { clearMocks } from "@tauri-apps/api/mocks";
import { cleanup } from "@testing-library/svelte";
import { afterEach } from "vitest";

afterEach(async () => {
  cleanup();
  // One task more, so that what the window was still saying is heard.
  await new Promise((done) => setTimeout(done));
  clearMocks();
});
