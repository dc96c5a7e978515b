import { clearMocks } from "@tauri-apps/api/mocks";
import { cleanup } from "@testing-library/svelte";
import { afterEach, vi } from "vitest";

/** What is on the screen here is what a test says. */
export const screen = { shows: true, scrolled: () => {} };

class Observer {
  constructor(private told: (entries: { isIntersecting: boolean }[]) => void) {}
  observe(): void {
    screen.scrolled = () => this.told([{ isIntersecting: screen.shows }]);
    setTimeout(() => screen.scrolled());
  }
  disconnect(): void {}
}
vi.stubGlobal("IntersectionObserver", Observer);

afterEach(async () => {
  screen.shows = true;
  cleanup();
  // One task more, so that what the window was still saying is heard.
  await new Promise((done) => setTimeout(done));
  clearMocks();
});
