// The only door out of the window: three calls, all typed by the bindings that Rust generates.
// A newcomer would keep state here: the view arrives whole, and asking for something answers by the next view.

import { Channel, invoke } from "@tauri-apps/api/core";

import type { Intent, LinkView, ProblemView, View } from "./bindings/view";

/** Calls `draw` with the whole view, now and after each change. */
export async function subscribe(draw: (view: View) => void): Promise<void> {
  const channel = new Channel<View>();
  channel.onmessage = draw;
  await invoke("view", { channel });
}

export async function act(intent: Intent): Promise<void> {
  await invoke("act", { intent });
}

export type ReadLink = { good: LinkView } | { bad: ProblemView };

/** Says where a join link leads. Nothing is contacted. */
export async function readLink(link: string): Promise<ReadLink> {
  try {
    return { good: await invoke<LinkView>("read_link", { link }) };
  } catch (problem) {
    return { bad: problem as ProblemView };
  }
}
