// Whether something has stood still long enough to be read: what moves under a pointer must not take the click.
// Scrolling is no movement; a person who scrolls follows what she reads.

/** As long as a hand needs to stop, in milliseconds. */
const LONG_ENOUGH = 700;
const LOOK_EVERY = 100;

/** The place of an element in the page, however far it is scrolled. */
function place(element: HTMLElement): string {
  let [top, left] = [0, 0];
  for (let at: Element | null = element; at instanceof HTMLElement; at = at.offsetParent) {
    top += at.offsetTop;
    left += at.offsetLeft;
  }
  return `${top} ${left} ${element.offsetWidth} ${element.offsetHeight}`;
}

export class Still {
  #element: HTMLElement;
  #place: string;
  #since = performance.now();
  #timer: ReturnType<typeof setInterval>;

  /** Tells whenever the answer changes. */
  constructor(element: HTMLElement, told: (still: boolean) => void) {
    this.#element = element;
    this.#place = place(element);
    this.#timer = setInterval(() => told(this.now()), LOOK_EVERY);
  }

  /** Whether it has stood still until this very moment. */
  now(): boolean {
    const here = place(this.#element);
    if (here !== this.#place) {
      this.#place = here;
      this.#since = performance.now();
    }
    return performance.now() - this.#since >= LONG_ENOUGH;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
