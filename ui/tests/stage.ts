// The real window over a Tauri that only remembers: views go in by hand, what is asked for comes out.

import { mockIPC } from "@tauri-apps/api/mocks";
import { render, screen } from "@testing-library/svelte";

import type { Intent, LinkView, ProblemView, Service, State, View } from "../src/bindings/view";
import Window from "../src/Window.svelte";

type Links = (link: string) => LinkView;

export interface Stage {
  asked: Intent[];
  show(view: View): Promise<void>;
}

const noLinks: Links = () => {
  throw badLink;
};

export async function stage(first: View, links: Links = noLinks): Promise<Stage> {
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
  render(Window);
  const show = async (view: View) => {
    send(view);
    await new Promise((done) => setTimeout(done));
  };
  await show(first);
  return { asked, show };
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

export const byId = (id: string): HTMLElement => screen.getByTestId(id);
export const maybeById = (id: string): HTMLElement | null => screen.queryByTestId(id);

export const notJoined: View = {
  account: { is: "not_joined" },
  hub: { is: "none" },
  services: [],
  problems: [],
  keys_note: null,
  activity: [],
  arrived: null,
  settings: {
    theme: "system",
    start_at_login: false,
    start_hidden: false,
    notifications: "on",
    file: "/home/ana/.config/tidegate/app.toml",
  },
  version: "0.1.0",
};

export const signedOut: View = {
  ...notJoined,
  account: { is: "signed_out", org: "acme", last: "ana@acme.example" },
  hub: { is: "connected", address: "hub.acme.example:443" },
};

export const signingIn: View = {
  ...signedOut,
  account: {
    is: "signing_in",
    org: "acme",
    steps: [
      { text: "Opening your browser", progress: "done" },
      { text: "Waiting for you in the browser", progress: "now" },
      { text: "Checking the answer", progress: "later" },
    ],
    url: "https://acme.okta.example/authorize?state=1",
    url_copied: false,
  },
};

export function warehouse(state: State): Service {
  return {
    id: "acme/warehouse",
    name: "warehouse",
    title: "Flights",
    kind: "PostgreSQL",
    address: "localhost:15432",
    state,
    snippets: [
      { form: "url", label: "URL", text: "postgresql://localhost:15432/flights" },
      { form: "psql", label: "psql", text: "psql postgresql://localhost:15432/flights" },
      { form: "sqlalchemy", label: "SQLAlchemy", text: "postgresql+psycopg://localhost:15432/flights" },
    ],
    copied: null,
  };
}

export function signedIn(...services: Service[]): View {
  return {
    ...signedOut,
    account: { is: "signed_in", org: "acme", name: "ana@acme.example", left: "9 h 59 min left", until: 1763736000 },
    services,
  };
}

export const connected: State = {
  is: "connected",
  left: "9 h 59 min left",
  until: 1763736000,
  usage: "1 connection; 1.0 kB sent, 2.1 MB received so far",
};

export const badLink: ProblemView = {
  org: null,
  code: "TG-4001",
  severity: "error",
  title: "The join link is not complete",
  cause: "This computer cannot join, because a part of the link is missing.",
  next: "Copy the whole link and paste it again.",
  who: "you",
  since: null,
  button: null,
  dismiss: { do: "dismiss", org: null, code: 4001 },
};
