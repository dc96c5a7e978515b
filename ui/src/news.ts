// What a screen reader is told about a new view: what became different, never what merely moved on.
// A newcomer would make each line a live region: then every minute of time left is read out, once per service.

import type { Access, AccessRequest, Org, Service, State, View } from "./bindings/view";

/** Sentences, most important first; empty for most views. */
export function news(before: View | null, after: View): string[] {
  if (!before) return [];
  const orgs = after.orgs.flatMap((org) => ofOrg(before.orgs.find(({ name }) => name === org.name), org));
  return before.joining && !after.joining && after.orgs.length > before.orgs.length ? ["Joined.", ...orgs] : orgs;
}

function ofOrg(before: Org | undefined, after: Org): string[] {
  if (!before) return [];
  const asking = after.devices.requests.filter(({ id }) => !before.devices.requests.some((known) => known.id === id));
  const asks = asking.map(({ who }) => `${who} asks to be let in.`);
  return [...asks, ...ofAccess(before.access, after.access), ...ofWords(before, after), ...ofAccount(before, after), ...ofHub(before, after), ...ofServices(before.services, after.services)];
}

/** Who asks, and what became of what was asked for here. */
function ofAccess(before: Access, after: Access): string[] {
  const asks = after.waiting.filter(({ id }) => !before.waiting.some((known) => known.id === id));
  const alarms = after.alarms.filter(({ id }) => !before.alarms.some((known) => known.id === id));
  const told = [
    ...alarms.map(({ by, service, reason }) => `Emergency access to ${service}: ${by}: ${reason}.`),
    ...asks.map(({ by, service, reason, emergency }) => `${by} asks for ${emergency ? "emergency access to " : ""}${service}: ${reason}.`),
  ];
  const became = after.own.flatMap((request) => {
    const was = before.own.find(({ id }) => id === request.id);
    if (!was) return request.state.is === "waiting" ? [`You asked for ${request.service}.`] : [];
    if (was.state.is !== request.state.is) return [`${request.service}: ${becameOf(request)}.`];
    const seen = request.progress.filter((line) => !was.progress.includes(line));
    return seen.map((line) => `${request.service}: ${line}.`);
  });
  return [...told, ...became];
}

function becameOf({ state }: AccessRequest): string {
  switch (state.is) {
    case "waiting":
      return "waits for approval";
    case "unused":
      return `approved, ${state.gives}`;
    case "in_use":
      return `in use, ${state.left}`;
    case "ended":
      return state.how.replace(/\.$/, "");
  }
}

/** Read out once they are there, on whichever screen this is. */
function ofWords(before: Org, after: Org): string[] {
  const shown = wordsOf(after);
  return shown.length > 0 && wordsOf(before).length === 0 ? [`Six words to compare: ${shown.join(", ")}.`] : [];
}

function wordsOf({ devices }: Org): string[] {
  if (devices.asking?.is === "words") return devices.asking.words;
  return devices.requests.flatMap(({ state }) => (state.is === "words" ? state.words : []));
}

function ofAccount(before: Org, after: Org): string[] {
  const account = underWay(after);
  if (account.is === "signing_in") {
    const now = account.steps.find((step) => step.progress === "now")?.text;
    const earlier = underWay(before);
    const was = earlier.is === "signing_in" ? earlier : null;
    const step = now && now !== was?.steps.find((other) => other.progress === "now")?.text ? [`${now}.`] : [];
    const late = account.likely.length > 0 && !was?.likely.length ? ["The browser has not come back yet. Likely causes are listed."] : [];
    return [...step, ...late];
  }
  const renewed = account.is === "signed_in" && before.account.is === "signed_in" && account.until > before.account.until;
  if (account.is === before.account.is && !renewed) return [];
  return [account.is === "signed_in" ? `Signed in to ${after.name}.` : `Signed out of ${after.name}.`];
}

/** A sign-in beside a session that stands is what she is doing. */
function underWay({ account }: Org): Org["account"] {
  return account.is === "signed_in" && account.again ? account.again : account;
}

function ofHub(before: Org, after: Org): string[] {
  if (before.hub.is === after.hub.is) return [];
  if (after.hub.is === "away") return [`The hub of ${after.name} cannot be reached.`];
  return before.hub.is === "away" && after.hub.is === "connected" ? [`The hub of ${after.name} is back.`] : [];
}

function ofServices(before: Service[], after: Service[]): string[] {
  const known = new Map(before.map((service) => [service.id, service]));
  return after.flatMap((service) => {
    const was = known.get(service.id);
    if (!was) return [];
    const copied = service.copied && service.copied !== was.copied ? [`Copied ${labelOf(service)} of ${service.name}.`] : [];
    const wrote = service.wrote && service.wrote !== was.wrote ? [`Written. In a terminal: ${service.wrote}.`] : [];
    return was.state.is === service.state.is ? [...copied, ...wrote] : [`${service.name}: ${said(service.state)}.`, ...copied, ...wrote];
  });
}

function labelOf(service: Service): string {
  return service.snippets.find((snippet) => snippet.form === service.copied)?.label ?? "it";
}

function said(state: State): string {
  switch (state.is) {
    case "idle":
      return "not connected";
    case "connecting":
      return "connecting";
    case "connected":
      return `connected, ${state.left}`;
    case "disconnecting":
      return "disconnecting";
    case "failed":
      return state.problem.title;
  }
}
