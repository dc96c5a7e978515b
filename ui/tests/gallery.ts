// Every state of the window as a value: the tests stand on these, and a picture of each is kept in tests/pictures.
// A new state belongs in here first: then it is drawn, looked at, and held to the same rules as the others.

import type { AccessRequest, ActivityLine, AskSheet, Org, ProblemView, Service, SettingsView, Snippet, State, View } from "../src/bindings/view";

/** Sunday 22 November 2026, 09:41 UTC: the clock of every picture. */
export const NOW = 1_795_340_460;
const HOUR = 3600;

export interface Scene {
  view: View;
  /** What comes a second later each. */
  then?: View[];
  /** Test ids that are clicked, one after the other. */
  clicks?: string[];
  /** What is pressed after that, as Playwright names keys. */
  keys?: string[];
  /** Other sizes than the usual one, in CSS pixels. */
  size?: { width: number; height: number };
}

const settings: SettingsView = { theme: "system", start_hidden: false, notifications: "on", start_at_login: true, file: "/home/ana/.config/tidegate/app.toml" };

export const notJoined: View = {
  page: "not_joined",
  joining: false,
  orgs: [],
  problems: [],
  keys_note: null,
  tray: true,
  activity: [],
  arrived: null,
  go: null,
  settings,
  version: "0.1.0",
};

const acme: Org = {
  name: "acme",
  device: "ana-laptop",
  account: { is: "signed_out", last: "ana@acme.example" },
  hub: { is: "connected", address: "hub.acme.example:443" },
  services: [],
  problems: [],
  devices: { requests: [], asking: null, list: [], link: null },
  access: { waiting: [], own: [], given: [], alarms: [] },
  ask: null,
};

const activity: ActivityLine[] = [
  { at: NOW - 40, text: "warehouse was connected." },
  { at: NOW - 300, text: "Signed in as ana@acme.example." },
  { at: NOW - 26 * HOUR, text: "This computer joined acme." },
];

export function joined(...orgs: Org[]): View {
  return { ...notJoined, page: "joined", orgs };
}

export const signedOut: View = joined(acme);

const STEPS = ["Asking the hub", "Asking your organisation's sign-in", "Opening your browser", "Waiting for you in the browser", "Checking the answer"];

const WORDS = ["harbor", "velvet", "candle", "orbit", "meadow", "thistle"];

function signingInWith(more: Partial<Extract<Org["account"], { is: "signing_in" }>>): View {
  const now = more.steps ? 0 : 3;
  const progress = (place: number) => (place < now ? "done" : place === now ? "now" : "later");
  return joined({
    ...acme,
    account: {
      is: "signing_in",
      steps: STEPS.map((text, place) => ({ text, progress: progress(place) })),
      url: "https://acme.okta.example/oauth2/default/v1/authorize?client_id=0oatidegate&response_type=code&state=1",
      url_copied: false,
      likely: [],
      code: null,
      ...more,
    },
  });
}

export const signingIn: View = signingInWith({});

const signingInAccount = signingIn.orgs[0]?.account as Extract<Org["account"], { is: "signing_in" }>;

export function warehouse(state: State): Service {
  return service("warehouse", "Flight warehouse", 15432, state);
}

export function service(name: string, title: string, port: number, state: State, org = "acme"): Service {
  return {
    id: `${org}/${name}`,
    name,
    title,
    kind: "PostgreSQL",
    address: `localhost:${port}`,
    port,
    state,
    snippets: postgres(name, port),
    copied: null,
    wrote: null,
    port_problem: null,
    must_ask: false,
  };
}

function postgres(name: string, port: number): Snippet[] {
  const at = `localhost:${port}/flights`;
  return [
    { form: "url", label: "URL", text: `postgresql://${at}` },
    { form: "psql", label: "psql", text: `psql postgresql://${at}` },
    { form: "sqlalchemy", label: "SQLAlchemy", text: `postgresql+psycopg://${at}` },
    { form: "pandas", label: "pandas", text: `import pandas as pd\nfrom sqlalchemy import create_engine\n\nengine = create_engine("postgresql+psycopg://${at}")\n` },
    { form: "jdbc", label: "JDBC", text: `jdbc:postgresql://${at}?user=tidegate&sslmode=disable` },
    { form: "dbeaver", label: "DBeaver", text: `dbeaver -con "driver=postgresql|host=localhost|port=${port}|database=flights"` },
    { form: "env", label: ".env", text: `# ${name} through Tidegate\nPGHOST=localhost\nPGPORT=${port}\nPGDATABASE=flights\n` },
    { form: "pg_service", label: "pg_service.conf", text: `[${name}]\nhost=localhost\nport=${port}\ndbname=flights\n` },
  ];
}

const website: Service = {
  ...service("grafana", "Dashboards", 13000, { is: "idle" }),
  kind: "TCP",
  snippets: [
    { form: "url", label: "Address", text: "localhost:13000" },
    { form: "env", label: ".env", text: "TIDEGATE_ADDRESS=localhost:13000" },
  ],
};

export const connected: State = {
  is: "connected",
  left: "9 h 59 min left",
  until: NOW + 10 * HOUR,
  usage: "1 connection; 1.0 kB sent, 2.1 MB received so far",
  bytes: 2_101_000,
  reconnecting: null,
};

export function signedIn(...services: Service[]): View {
  return { ...joined(ana(acme, services)), activity };
}

function ana(org: Org, services: Service[], problems: ProblemView[] = []): Org {
  return {
    ...org,
    account: { is: "signed_in", name: `ana@${org.name}.example`, left: "9 h 59 min left", until: NOW + 10 * HOUR, soon: false, again: null },
    services,
    problems,
  };
}

const TIMES = [
  { seconds: 900, label: "15 min", usual: false },
  { seconds: 1800, label: "30 min", usual: false },
  { seconds: 3600, label: "1 h", usual: false },
  { seconds: 7200, label: "2 h", usual: true },
];

/** What Ana asks of Bob, as he sees it. */
export const request: AccessRequest = {
  id: "k3v9q2mx",
  service: "warehouse",
  by: "00u1ana (ana@acme.example, says the hub)",
  reason: "INC-42 churn numbers",
  wanted: "2 h",
  asked: NOW - 30,
  here: false,
  read_only: false,
  emergency: false,
  more: false,
  progress: [],
  times: TIMES,
  state: { is: "waiting", left: "23 h 59 min left" },
};

/** Dan broke the glass. */
export const broken: AccessRequest = { ...request, id: "e1", by: "00u4dan (dan@acme.example, says the hub)", wanted: "1 h", reason: "INC-42 the queue stands still", emergency: true, times: [] };

/** The same as she sees it. */
export const asked: AccessRequest = { ...request, here: true, progress: ["Nobody has seen it yet"] };

export const askSheet: AskSheet = { service: "acme/warehouse", name: "warehouse", more: null, times: TIMES, who: "One person has to approve." };

const gated: Service = { ...warehouse({ is: "idle" }), must_ask: true };

/** Signed in, with these requests. */
export function withAccess(services: Service[], more: Partial<Org["access"]>, ask: AskSheet | null = null): View {
  return { ...joined({ ...ana(acme, services), access: { ...acme.access, ...more }, ask }), activity };
}

/** A session that ends in a few minutes. */
const soon = { is: "signed_in", name: "ana@acme.example", left: "4 min left", until: NOW + 240, soon: true, again: null } as const;

export const badLink: ProblemView = {
  org: null,
  id: "/TG-4001//",
  code: "TG-4001",
  severity: "error",
  title: "Join link is damaged",
  cause: "This computer cannot join because the join link is not complete.",
  next: "Copy the whole link again, or ask your administrator for a new one.",
  who: "you",
  since: null,
  button: null,
  dismiss: { do: "dismiss", org: null, about: { code: 4001 } },
};

const hubAway: ProblemView = {
  ...badLink,
  id: "/TG-1001//",
  code: "TG-1001",
  title: "Hub is not reachable",
  cause: "Nothing new can be connected because the hub of acme does not answer.",
  next: "Check this computer's network; Tidegate tries again by itself.",
  since: NOW - 240,
  button: { label: "Try again", intent: { do: "try_again", org: "acme" } },
  dismiss: null,
};

const expired: ProblemView = {
  ...badLink,
  id: "/TG-3003//",
  code: "TG-3003",
  title: "Session has ended",
  cause: "Services cannot be connected because your sign-in has ended.",
  next: "Sign in again to go on.",
};

const keyringLocked: ProblemView = {
  ...badLink,
  id: "/TG-4006//",
  code: "TG-4006",
  severity: "warning",
  title: "Keyring is locked",
  cause: "Tidegate cannot keep your sign-in because the keyring is locked.",
  next: "Unlock the keyring; until then you will have to sign in again after a restart.",
  button: { label: "Try again", intent: { do: "try_again", org: null } },
};

const noTray: ProblemView = {
  ...badLink,
  id: "/TG-6007//",
  code: "TG-6007",
  severity: "info",
  title: "No tray",
  cause: "The Tidegate icon cannot be shown because this desktop has no tray.",
  next: "Use the window; it stays open instead.",
};

export const portTaken: ProblemView = {
  ...badLink,
  id: "/TG-6001//",
  code: "TG-6001",
  title: "Port is taken",
  cause: "warehouse cannot be opened because port 15432 is held by postgres (4711).",
  next: "Close that program, or give the service another port in the settings.",
  button: { label: "Use port 16432", intent: { do: "set_port", service: "acme/warehouse", port: 16432 } },
};

const targetClosed: ProblemView = {
  ...badLink,
  id: "/TG-5001//",
  code: "TG-5001",
  title: "Service is down",
  cause: "warehouse cannot be connected because what is behind it refuses connections.",
  next: "Try again later, or tell the owner of the service.",
};

const some = [
  service("billing", "Invoices and payments", 15501, { is: "idle" }),
  website,
  service("telemetry", "", 15777, { is: "idle" }),
];

const beta: Org = { ...acme, name: "beta", device: "ana-laptop", hub: { is: "connected", address: "tide.beta.example:443" } };

/** What somebody unkind, or only very thorough, would put into a catalogue. */
const HOSTILE = [
  service("a-very-long-service-name-that-goes-on-and-on-and-on-until-nobody-reads-it", "Ein Titel, der so lang ist, dass er auf keine Zeile passt, auch nicht auf zwei, und trotzdem weitergeht".repeat(2), 15001, connected),
  service("bidi", "\u202Egnirts desrever\u202C שלום עולם مرحبا", 15002, { is: "idle" }),
  service("markup", "<img src=x onerror=alert(1)> &amp; <b>bold</b>", 15003, { is: "failed", problem: { ...targetClosed, cause: `${"W".repeat(300)} cannot be connected.` } }),
  service("zero\u200Bwidth", "a\u200B\u200Bb", 15004, { is: "connecting", step: "asking the outlet" }),
];

/** `count` services of which two are open. */
export function crowd(count: number): View {
  const many = Array.from({ length: count }, (_, place) =>
    service(`service-${String(place).padStart(3, "0")}`, "One of many", 15000 + place, place % 250 === 7 ? connected : { is: "idle" }),
  );
  return signedIn(...many);
}

/** Downloads, then waits, then downloads again. */
function busy(): View[] {
  const amounts = [0, 4e4, 9e5, 2.4e6, 2.1e6, 2.6e6, 1.2e6, 2e3, 0, 0, 3e5, 1.9e6, 2.2e6, 2.5e6, 2.4e6, 2.3e6];
  let bytes = 2_101_000;
  return amounts.map((amount) => {
    bytes += amount;
    return signedIn(warehouse({ ...connected, bytes } as State), ...some);
  });
}

export const gallery: Record<string, Scene> = {
  starting: { view: { ...notJoined, page: "starting" } },
  broken: { view: { ...notJoined, page: "broken", problems: [{ ...badLink, id: "/TG-6005//", code: "TG-6005", title: "Folder cannot be used", cause: "Tidegate cannot start because it cannot use /home/ana/.local/share/tidegate.", next: "Check that the folder belongs to you and that the disk is not full.", dismiss: null }] } },
  "not-joined": { view: notJoined },
  "not-joined-no-tray": { view: { ...notJoined, tray: false, problems: [noTray] } },
  "join-link-good": { view: notJoined, keys: ["paste:tidegate://join?hub=hub.acme.example:443&org=acme&ticket=x"] },
  "join-link-no-invitation": { view: notJoined, keys: ["paste:tidegate://join?hub=hub.acme.example:443&org=acme"] },
  "join-link-bad": { view: notJoined, keys: ["paste:tidegate://jo"] },
  "link-arrived": { view: { ...notJoined, arrived: { is: "link", link: { org: "acme", address: "hub.acme.example:443", root: "q3vx 7mha 2kfd pw5n bt6e yzrc", invitation: true }, another: false } } },
  "link-arrived-no-invitation": { view: { ...notJoined, arrived: { is: "link", link: { org: "acme", address: "hub.acme.example:443", root: "q3vx 7mha 2kfd pw5n bt6e yzrc", invitation: false }, another: true } } },
  "link-arrived-bad": { view: { ...signedIn(warehouse({ is: "idle" })), arrived: { is: "bad", problem: badLink } } },
  joining: { view: { ...notJoined, joining: true } },
  "signed-out": { view: signedOut },
  "signing-in": { view: signingIn },
  "signing-in-late": {
    view: signingInWith({
      likely: [
        "The page may still wait for you: a password, a code, a message on your phone.",
        "The page may be behind another window or held by a blocker: look for a new tab, or copy the address.",
        "A proxy or an add-on may keep the browser from coming back to this computer: allow 127.0.0.1.",
      ],
    }),
  },
  "session-ends-soon": { view: joined({ ...ana(acme, [warehouse({ ...connected, left: "4 min left" } as State), ...some]), account: soon }) },
  "signing-in-again": { view: joined({ ...ana(acme, [warehouse(connected), ...some]), account: { ...soon, again: signingInAccount } }) },
  "key-in-memory": {
    view: {
      ...signedIn(warehouse({ is: "idle" })),
      problems: [
        {
          ...keyringLocked,
          id: "/TG-4018//",
          code: "TG-4018",
          title: "This computer's key is not kept",
          cause: "This computer's key is only in memory because the keyring is locked.",
          next: "Unlock the keyring, or install one, before you quit Tidegate; otherwise you need a new join link after that.",
        },
      ],
    },
  },
  "signing-in-code": {
    view: signingInWith({
      steps: [
        { text: "Asking the hub", progress: "done" },
        { text: "Waiting for the code to be typed", progress: "now" },
        { text: "Getting your credential", progress: "later" },
      ],
      url: null,
      code: { code: "WDJB-MJHT", address: "https://acme.okta.example/activate", left: "9 min left" },
    }),
  },
  "second-device": {
    view: joined({
      ...acme,
      devices: { ...acme.devices, asking: { is: "words", words: WORDS, left: "9 min left" } },
      account: { ...signingInAccount, steps: [{ text: "Checking the answer", progress: "done" }, { text: "Waiting for your other computer", progress: "now" }, { text: "Getting your credential", progress: "later" }], url: null },
    }),
  },
  "second-device-signed-out": { view: joined({ ...acme, account: { is: "signed_out", last: null }, devices: { ...acme.devices, asking: { is: "sign_in" } } }) },
  "device-asks": { view: joined({ ...ana(acme, [warehouse({ is: "idle" })]), devices: { ...acme.devices, requests: [{ id: "r1", who: "A new device (ana-desktop)", left: "9 min left", state: { is: "asking" } }] } }) },
  "device-words": { view: joined({ ...ana(acme, [warehouse({ is: "idle" })]), devices: { ...acme.devices, requests: [{ id: "r1", who: "A new device (ana-desktop)", left: "9 min left", state: { is: "words", words: WORDS } }] } }) },
  "device-comparing": { view: joined({ ...ana(acme, [warehouse({ is: "idle" })]), devices: { ...acme.devices, requests: [{ id: "r1", who: "A new device (ana-desktop)", left: "9 min left", state: { is: "comparing" } }] } }) },
  "device-elsewhere": { view: joined({ ...ana(acme, [warehouse({ is: "idle" })]), devices: { ...acme.devices, requests: [{ id: "r1", who: "A new device (ana-desktop)", left: "9 min left", state: { is: "elsewhere" } }] } }) },
  "second-device-waiting": {
    view: joined({
      ...acme,
      devices: { ...acme.devices, asking: { is: "waiting", left: "9 min left" } },
      account: { ...signingInAccount, steps: [{ text: "Checking the answer", progress: "done" }, { text: "Waiting for your other computer", progress: "now" }, { text: "Getting your credential", progress: "later" }], url: null },
    }),
  },
  devices: {
    view: joined({
      ...ana(acme, []),
      devices: {
        ...acme.devices,
        link: { copied: false },
        list: [
          { id: "d1", name: "ana-desktop", enrolled: NOW - 90 * HOUR, seen: null, this: false, revoked: false },
          { id: "d2", name: "dev-19c2", enrolled: NOW - 900 * HOUR, seen: NOW - 60, this: true, revoked: false },
          { id: "d3", name: "old laptop", enrolled: NOW - 9000 * HOUR, seen: NOW - 4000 * HOUR, this: false, revoked: true },
        ],
      },
    }),
    clicks: ["settings", "revoke-d1"],
  },
  "must-ask": { view: withAccess([gated, website], {}) },
  "must-ask-waiting": { view: withAccess([{ ...gated, state: { is: "connecting", step: "waiting for approval" } }, website], {}) },
  asking: { view: withAccess([gated, website], {}, askSheet) },
  "asking-more": { view: withAccess([warehouse(connected)], { own: [{ ...asked, progress: ["Approved by bob@acme.example, says the hub"], state: { is: "in_use", left: "4 min left", until: NOW + 240 } }] }, { ...askSheet, more: "k3v9q2mx" }) },
  asked: { view: withAccess([warehouse({ is: "connecting", step: "waiting for approval" }), website], { own: [asked] }) },
  "asked-seen": { view: withAccess([warehouse({ is: "connecting", step: "waiting for approval" }), website], { own: [{ ...asked, progress: ["Seen by bob@acme.example, cleo@acme.example, says the hub", "1 of 2 have approved, says the hub"] }] }) },
  "asked-approved": { view: withAccess([warehouse({ is: "idle" }), website], { own: [{ ...asked, progress: ["Approved by bob@acme.example, says the hub"], state: { is: "unused", gives: "1 h", left: "23 h 58 min left" } }] }) },
  "asked-in-use": { view: withAccess([warehouse(connected), website], { own: [{ ...asked, progress: ["Approved by bob@acme.example, says the hub"], state: { is: "in_use", left: "14 min left", until: NOW + 840 } }] }) },
  "asked-ended": {
    view: withAccess([gated, website], {
      own: [
        { ...asked, times: [], progress: [], state: { is: "ended", how: "Denied by bob@acme.example, says the hub: the numbers are in the report of Monday" } },
        { ...asked, id: "m2", times: [], progress: ["Approved by bob@acme.example, says the hub"], state: { is: "ended", how: "Its time is over." } },
      ],
    }),
  },
  "decide-one": { view: withAccess([website], { waiting: [request] }) },
  "decide-emergency": { view: withAccess([website], { waiting: [{ ...request, emergency: true }] }) },
  alarm: {
    view: withAccess([website], {
      alarms: [
        { ...broken, state: { is: "in_use", left: "40 min left", until: NOW + 2400 } },
        { ...broken, id: "e2", service: "billing", reason: "INC-43 refunds", state: { is: "ended", how: "Its time is over." } },
      ],
      given: [{ ...broken, progress: ["Nobody approved it: it is an emergency"], state: { is: "in_use", left: "40 min left", until: NOW + 2400 } }],
    }),
  },
  "decide-less": { view: withAccess([website], { waiting: [request] }), clicks: ["give-k3v9q2mx-1800"] },
  "decide-deny": { view: withAccess([website], { waiting: [request] }), clicks: ["deny-k3v9q2mx"], keys: ["type:the numbers are in the report of Monday"] },
  "decide-hostile": {
    view: withAccess([], {
      waiting: [
        { ...request, by: "00u8mal (mallory\\u{202e}@acme.example, says the hub)", reason: `<img src=x onerror=alert(1)> ${"W".repeat(300)} & approved by your administrator`, progress: ["1 of 2 have approved, says the hub"] },
        { ...request, id: "m9", more: true, read_only: true, wanted: "2 h, read-only", reason: "one more hour" },
      ],
      given: [
        { ...request, id: "g1", by: "00u3cle (cleo@acme.example, says the hub)", progress: ["Approved by you"], state: { is: "in_use", left: "40 min left", until: NOW + 2400 } },
        { ...request, id: "g2", by: "00u4dan (dan@acme.example, says the hub)", emergency: true, progress: ["Nobody approved it: it is an emergency"], state: { is: "unused", gives: "1 h", left: "20 h left" } },
      ],
    }),
  },
  "no-services": { view: signedIn() },
  idle: { view: signedIn(warehouse({ is: "idle" }), ...some) },
  connecting: { view: signedIn(warehouse({ is: "connecting", step: "asking the outlet" }), ...some) },
  connected: { view: signedIn({ ...warehouse(connected), copied: "url" }, ...some) },
  reconnecting: {
    view: signedIn(
      warehouse({
        ...connected,
        reconnecting: "1 connection waits, and nothing is lost. warehouse cannot be reached because nothing on its side is online right now.",
      } as State),
      ...some,
    ),
  },
  busy: { view: signedIn(warehouse(connected), ...some), then: busy() },
  disconnecting: { view: signedIn(warehouse({ is: "disconnecting" }), ...some) },
  "port-taken": { view: signedIn(warehouse({ is: "failed", problem: portTaken }), ...some) },
  "service-down": { view: signedIn(warehouse({ is: "failed", problem: targetClosed }), ...some) },
  "copy-menu": { view: signedIn(warehouse(connected), ...some), clicks: ["copy-menu-warehouse"], keys: ["ArrowDown"] },
  wrote: { view: signedIn({ ...warehouse(connected), wrote: "psql service=warehouse" }, ...some) },
  "hub-connecting": { view: joined({ ...ana(acme, [warehouse({ is: "connecting", step: "waiting for the hub" })]), hub: { is: "connecting", address: "hub.acme.example:443" } }) },
  "hub-away": { view: joined({ ...ana(acme, [warehouse({ is: "idle" })], [hubAway]), hub: { is: "away", address: "hub.acme.example:443", since: NOW - 240 } }) },
  "session-ended": { view: joined({ ...acme, services: [warehouse({ is: "idle" })], problems: [expired] }) },
  problems: { view: { ...signedIn(warehouse({ is: "idle" })), problems: [keyringLocked, noTray], keys_note: "This computer's keys are kept in a file that only you can read." } },
  activity: { view: signedIn(warehouse(connected)), clicks: ["activity-title"] },
  "two-orgs": { view: joined(ana(acme, [warehouse(connected), website]), { ...beta, services: [service("warehouse", "The other one", 15433, { is: "idle" }, "beta")] }) },
  "two-orgs-both": { view: joined(ana(acme, [warehouse({ is: "idle" })]), ana(beta, [service("warehouse", "The other one", 15433, connected, "beta")])) },
  settings: { view: { ...signedIn(warehouse({ is: "idle" }), { ...website, port: 8080 }), keys_note: null }, clicks: ["settings"] },
  "settings-port-refused": { view: signedIn({ ...warehouse({ is: "idle" }), port_problem: portTaken }, website), clicks: ["settings"] },
  leaving: { view: joined(ana(acme, [])), clicks: ["settings", "leave"] },
  "join-another": { view: joined(ana(acme, [])), clicks: ["settings", "join-another"] },
  many: { view: crowd(500) },
  searching: { view: crowd(500), keys: ["/", "type:42"] },
  "nothing-found": { view: crowd(12), keys: ["/", "type:nowhere"] },
  hostile: { view: signedIn(...HOSTILE) },
  // 640 by 740 at 200 % zoom, and the narrowest that counts.
  "connected-zoomed": { view: signedIn(warehouse(connected), ...some), size: { width: 320, height: 370 } },
  "hostile-narrow": { view: signedIn(...HOSTILE), size: { width: 320, height: 740 } },
  "settings-narrow": { view: signedIn(warehouse({ is: "idle" })), clicks: ["settings"], size: { width: 320, height: 740 } },
  "copy-menu-narrow": { view: signedIn(warehouse(connected)), clicks: ["copy-menu-warehouse"], size: { width: 320, height: 370 } },
};

/** One of them by its name. */
export function scene(name: string): Scene {
  const found = gallery[name];
  if (!found) throw new Error(`no scene is called ${name}`);
  return found;
}
