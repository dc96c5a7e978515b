import { expect, test } from "vitest";

import type { State } from "../src/bindings/view";
import { news } from "../src/news";
import { connected, crowd, signedIn, signedOut, warehouse } from "./gallery";

test("says what became different", () => {
  const idle = signedIn(warehouse({ is: "idle" }));

  expect(news(signedOut, signedIn())).toEqual(["Signed in to acme."]);
  expect(news(idle, signedIn(warehouse(connected)))).toEqual(["warehouse: connected, 9 h 59 min left."]);
  expect(news(idle, signedIn({ ...warehouse({ is: "idle" }), copied: "psql" }))).toEqual(["Copied psql of warehouse."]);
});

test("does not chatter: time and bytes that move on are no news", () => {
  const later: State = { ...connected, left: "9 h 58 min left", usage: "2 connections", bytes: 9 } as State;

  expect(news(signedIn(warehouse(connected)), signedIn(warehouse(later)))).toEqual([]);
  expect(news(null, crowd(500))).toEqual([]);
  expect(news(crowd(500), crowd(500))).toEqual([]);
});
