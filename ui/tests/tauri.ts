// A Tauri that only remembers: views go in by hand, what is asked for comes out.

import { mockIPC } from "@tauri-apps/api/mocks";

import type { Intent, LinkView, View } from "../src/bindings/view";

export interface Mock {
  asked: Intent[];
  show(view: View): void;
}

export function answerTauri({ links }: { links: (link: string) => LinkView }): Mock {
  const asked: Intent[] = [];
  let send: (view: View) => void = () => undefined;
  mockIPC((command, payload) => {
    const args = payload as Record<string, unknown>;
    if (command === "view") send = listener(args["channel"]);
    else if (command === "act") asked.push(args["intent"] as Intent);
    else if (command === "read_link") return links(String(args["link"]));
    else throw new Error(`the window has no right to ${command}`);
    return undefined;
  });
  return { asked, show: (view) => send(view) };
}

/** A channel is a number in a string; each message has its place in the order. */
function listener(channel: unknown): (view: View) => void {
  const id = Number(/\d+/.exec(JSON.parse(JSON.stringify(channel)) as string)?.[0]);
  let index = 0;
  return (message) => {
    const internals = (window as unknown as { __TAURI_INTERNALS__: { runCallback: (id: number, data: unknown) => void } })
      .__TAURI_INTERNALS__;
    internals.runCallback(id, { index: index++, message });
  };
}
