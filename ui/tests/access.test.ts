import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import type { Intent } from "../src/bindings/view";
import { news } from "../src/news";
import { asked, askSheet, connected, gallery, request, scene, warehouse, withAccess } from "./gallery";
import { screen } from "./setup";
import { byId, maybeById, stage } from "./stage";

const gated = { ...warehouse({ is: "idle" }), must_ask: true };
const other = { ...request, id: "n7w2" };
const decides = (intent: Intent) => intent.do === "access" && intent.what.is !== "saw";
/** Until a card takes decisions. */
const stands = (id: string) =>
  vi.waitFor(() => expect((maybeById(`approve-${id}`) ?? byId(`decide-deny-sure-${id}`)).getAttribute("aria-disabled")).toBe("false"), 3000);
/** As if the page had become shorter above it. */
function move(element: HTMLElement | null): void {
  Object.defineProperty(element, "offsetTop", { value: 40 });
}
const saw = { do: "access", org: "acme", what: { is: "saw", requests: ["k3v9q2mx"] } };

test("a service that has to be asked for says so and leads to the form", async () => {
  const user = userEvent.setup();
  const { asked: sent } = await stage(withAccess([gated], {}));

  expect(byId("state-warehouse").textContent).toContain("Somebody has to approve");
  await user.click(byId("ask-warehouse"));

  expect(sent).toEqual([{ do: "ask_for", org: "acme", what: { is: "service", service: "warehouse" } }]);
});

/** A service whose approval is gone; the problem itself offers to ask again. */
function endedByPeople(must_ask: boolean) {
  const failed = gallery["port-taken"]?.view.orgs[0]?.services.find((service) => service.state.is === "failed");
  if (failed?.state.is !== "failed") throw new Error("no service of that picture failed");
  const intent: Intent = { do: "ask_for", org: "acme", what: { is: "service", service: "warehouse" } };
  const problem = { ...failed.state.problem, button: { label: "Ask again", intent } };
  return withAccess([{ ...warehouse({ is: "failed", problem }), must_ask }], {});
}

test.each([true, false])("whoever has to ask again has one button for it, not two (the row's own: %s)", async (own) => {
  await stage(endedByPeople(own));

  const ways = [...document.querySelectorAll("button")].filter((button) => button.textContent.trim().startsWith("Ask"));
  expect(ways).toHaveLength(1);
});

test("asks by the keyboard alone, for the usual time unless another is chosen", async () => {
  const user = userEvent.setup();
  const { asked: sent } = await stage(withAccess([gated], {}, askSheet));

  expect(document.activeElement).toBe(byId("ask-reason"));
  await user.keyboard("{Enter}");
  expect(sent, "not without a reason").toEqual([]);
  await user.keyboard("INC-42{Enter}");
  await user.click(byId("ask-time-900"));
  await user.click(byId("ask-send"));
  await user.keyboard("{Escape}");

  expect(sent).toEqual([
    { do: "ask", service: "acme/warehouse", seconds: 7200, read_only: false, reason: "INC-42" },
    { do: "ask", service: "acme/warehouse", seconds: 900, read_only: false, reason: "INC-42" },
    { do: "ask_no_more" },
  ]);
});

test("what is being typed outlives a new view, and more time is asked for what is held", async () => {
  const user = userEvent.setup();
  const more = { ...askSheet, more: "k3v9q2mx" };
  const { asked: sent, show } = await stage(withAccess([warehouse(connected)], {}, more));

  await user.keyboard("one more");
  await show(withAccess([warehouse({ ...connected, left: "3 min left" } as typeof connected)], {}, more));
  await user.keyboard(" query{Enter}");

  expect(sent).toEqual([{ do: "access", org: "acme", what: { is: "extend", request: "k3v9q2mx", seconds: 7200, reason: "one more query" } }]);
});

test("whoever decides sees who and why, and can give less", async () => {
  const user = userEvent.setup();
  const { asked: sent } = await stage(withAccess([], { waiting: [request] }));

  await stands("k3v9q2mx");
  expect(byId("decide-k3v9q2mx").textContent).toContain("INC-42 churn numbers");
  expect(byId("approve-k3v9q2mx").textContent).toBe("Approve");
  await user.click(byId("give-k3v9q2mx-1800"));
  expect(byId("approve-k3v9q2mx").textContent).toBe("Approve less");
  await user.click(byId("approve-k3v9q2mx"));

  expect(sent.at(-1)).toEqual({ do: "access", org: "acme", what: { is: "approve", request: "k3v9q2mx", seconds: 1800, read_only: false } });
});

test("a request counts as seen once somebody looks at the window, and then only once", async () => {
  const looks = vi.spyOn(document, "hasFocus").mockReturnValue(false);
  const { asked: sent, show } = await stage(withAccess([], { waiting: [request] }));
  expect(sent).toEqual([]);

  looks.mockReturnValue(true);
  dispatchEvent(new Event("focus"));
  dispatchEvent(new Event("focus"));
  await show(withAccess([], { waiting: [{ ...request, state: { is: "waiting", left: "23 h left" } }] }));
  looks.mockRestore();

  expect(sent).toEqual([saw]);
});

test("what was asked for as it is needs no number, and a no takes a reason", async () => {
  const user = userEvent.setup();
  const { asked: sent } = await stage(withAccess([], { waiting: [request] }));

  await stands("k3v9q2mx");
  await user.click(byId("deny-k3v9q2mx"));
  expect(document.activeElement).toBe(byId("decide-because-k3v9q2mx"));
  await user.keyboard("ask on Monday{Enter}");

  expect(sent.filter(decides)).toEqual([{ do: "access", org: "acme", what: { is: "deny", request: "k3v9q2mx", because: "ask on Monday" } }]);
});

test("a click counts once, and only on a card that has stood still", async () => {
  const user = userEvent.setup();
  const { asked: sent, show } = await stage(withAccess([], { waiting: [request, other] }));

  await user.click(byId("approve-k3v9q2mx"));
  expect(sent.filter(decides), "it has only just come").toEqual([]);
  await stands("k3v9q2mx");
  await user.dblClick(byId("approve-k3v9q2mx"));
  move(byId("decide-n7w2").querySelector("h2"));
  await show(withAccess([], { waiting: [other] }));
  await user.click(byId("approve-n7w2"));

  const one = { is: "approve", request: "k3v9q2mx", seconds: null, read_only: false };
  expect(sent.filter(decides)).toEqual([{ do: "access", org: "acme", what: one }]);
  await stands("n7w2");
  await user.click(byId("approve-n7w2"));
  expect(sent.filter(decides)).toHaveLength(2);
});

test("a new request comes behind those that are there, whatever the hub lists first", async () => {
  const { show } = await stage(withAccess([], { waiting: [request] }));
  await show(withAccess([], { waiting: [other, request] }));

  const cards = [...document.querySelectorAll("[data-testid^=decide-][role=group]")];
  expect(cards.map((card) => card.getAttribute("data-testid"))).toEqual(["decide-k3v9q2mx", "decide-n7w2"]);
});

test("what was asked for can be withdrawn, and what is held given back or extended", async () => {
  const user = userEvent.setup();
  const { asked: sent, show } = await stage(withAccess([], { own: [asked] }));

  await user.click(byId("withdraw-k3v9q2mx"));
  await show(withAccess([], { own: [{ ...asked, state: { is: "in_use", left: "14 min left", until: 0 } }] }));
  await user.click(byId("extend-k3v9q2mx"));
  await user.click(byId("take-back-k3v9q2mx"));
  await show(withAccess([], { own: [{ ...asked, times: [], state: { is: "ended", how: "Its time is over." } }] }));

  expect(maybeById("take-back-k3v9q2mx")).toBeNull();
  expect(sent).toEqual([
    { do: "access", org: "acme", what: { is: "withdraw", request: "k3v9q2mx" } },
    { do: "ask_for", org: "acme", what: { is: "more", request: "k3v9q2mx" } },
    { do: "access", org: "acme", what: { is: "take_back", request: "k3v9q2mx", because: "" } },
  ]);
});

test("a screen reader is told who asks, who has seen it and what became of it", () => {
  const before = withAccess([], {});
  const waits = withAccess([], { own: [asked] });
  const seen = withAccess([], { own: [{ ...asked, progress: ["Seen by bob@acme.example, says the hub"] }] });
  const approved = withAccess([], { own: [{ ...asked, state: { is: "unused", gives: "1 h", left: "23 h left" } }] });

  expect(news(before, scene("decide-one").view)[0]).toBe("00u1ana (ana@acme.example, says the hub) asks for warehouse: INC-42 churn numbers.");
  expect(news(before, waits)).toContain("You asked for warehouse.");
  expect(news(waits, seen)).toContain("warehouse: Seen by bob@acme.example, says the hub.");
  expect(news(seen, approved)).toContain("warehouse: approved, 1 h.");
});

test("what others wrote about a request never becomes markup", async () => {
  await stage(gallery["decide-hostile"]?.view ?? withAccess([], {}));

  expect(document.querySelector("img")).toBeNull();
  expect(byId("decide-k3v9q2mx").textContent).toContain("<img src=x");
});

test("a request below the edge of the window was seen by nobody", async () => {
  screen.shows = false;
  const { asked: sent } = await stage(withAccess([], { waiting: [request] }));
  await vi.waitFor(() => expect(byId("approve-k3v9q2mx")).toBeTruthy());
  expect(sent).toEqual([]);

  screen.shows = true;
  screen.scrolled();

  expect(sent).toEqual([saw]);
});

test("an emergency says what became of it, and stays until somebody says that they saw it", async () => {
  const user = userEvent.setup();
  const { view } = scene("alarm");
  const { asked: sent, show } = await stage(withAccess([], {}));

  await show(view);

  expect(byId("alarm-e1").textContent).toContain("took emergency access to warehouse");
  expect(byId("alarm-now-e1").textContent).toContain("40 min left");
  expect(byId("alarm-now-e2").textContent).toContain("Its time is over");
  expect(byId("said").textContent).toContain("Emergency access to warehouse: 00u4dan");
  expect(sent, "looking is not enough").toEqual([]);
  await user.dblClick(byId("alarm-seen-e2"));
  expect(sent).toEqual([{ do: "access", org: "acme", what: { is: "saw", requests: ["e2"] } }]);
});

test("an emergency that waits for a decision is not taken for any other request", async () => {
  await stage(scene("decide-emergency").view);

  expect(byId("decide-k3v9q2mx").textContent).toContain("asks for emergency access to");
});
