// Whether somebody has something before their eyes: the window is in front, and it is on the screen, not below its edge.
// A newcomer would tell when it is drawn: what has to be scrolled to was seen by nobody.

/** Tells once, when all of `element` is looked at; the answer ends the wait. */
export function whenLookedAt(element: HTMLElement, tell: () => void): () => void {
  let inView = false;
  const look = () => {
    if (!inView || document.visibilityState !== "visible" || !document.hasFocus()) return;
    end();
    tell();
  };
  const observer = new IntersectionObserver(
    (entries) => {
      inView = entries.some((entry) => entry.isIntersecting);
      look();
    },
    { threshold: 1 },
  );
  const end = () => {
    observer.disconnect();
    removeEventListener("focus", look);
  };
  addEventListener("focus", look);
  observer.observe(element);
  return end;
}
