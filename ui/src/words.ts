// Times in the reader's own clock, and sizes: the little that Rust leaves to the window.

/** `14:05`, or with the day when it is not today. `at` is Unix time in seconds. */
export function clock(at: number, now: Date = new Date()): string {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" })} ${time}`;
}

/** `812 B/s`, `4.2 kB/s`: decimal, like everywhere else in the window. */
export function rate(bytes: number): string {
  const units: [number, string][] = [
    [1e9, "GB/s"],
    [1e6, "MB/s"],
    [1e3, "kB/s"],
  ];
  const unit = units.find(([size]) => bytes >= size);
  return unit ? `${(bytes / unit[0]).toFixed(1)} ${unit[1]}` : `${Math.round(bytes)} B/s`;
}
