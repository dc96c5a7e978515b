// Moving through a list by arrow keys (WAI-ARIA APG): the list is one stop for Tab, arrows go from item to item.
// A newcomer would compute positions: the document's own order is the truth, whatever was sorted or filtered.

/** Where a key leads from `place` among `count` items, or null where it is none of our keys. */
export function step(key: string, place: number, count: number, round: boolean): number | null {
  if (count === 0) return null;
  const within = (next: number) => (round ? (next + count) % count : Math.min(Math.max(next, 0), count - 1));
  switch (key) {
    case "ArrowDown":
      return within(place + 1);
    case "ArrowUp":
      return within(place - 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** The item whose text begins with what was typed, looked for behind `place` and then from the start. */
export function typed(letters: string, texts: string[], place: number): number | null {
  const begin = letters.length > 1 ? place : place + 1;
  for (let offset = 0; offset < texts.length; offset++) {
    const candidate = (begin + offset + texts.length) % texts.length;
    if (texts[candidate]?.trim().toLowerCase().startsWith(letters.toLowerCase())) return candidate;
  }
  return null;
}
