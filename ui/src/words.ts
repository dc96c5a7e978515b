// Times in the reader's own clock: the one thing that Rust leaves to the window.

/** `14:05`, or with the day when it is not today. `at` is Unix time in seconds. */
export function clock(at: number, now: Date = new Date()): string {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" })} ${time}`;
}
