// Generated from src-tauri/app by its test `bindings`. Do not edit.

export type View = { page: Page, 
/**
 * A join link is being used.
 */
joining: boolean, 
/**
 * Sorted by name.
 */
orgs: Array<Org>, 
/**
 * Those of this computer.
 */
problems: Array<ProblemView>, 
/**
 * Set where the keys of this device are not in the keyring: what that means for the person.
 */
keys_note: string | null, 
/**
 * Whether somebody shows our icon, as far as is known.
 */
tray: boolean, activity: Array<ActivityLine>, 
/**
 * A join link that came from outside: what it says, before anybody has agreed to it.
 */
arrived: Arrival | null, 
/**
 * Where the window is to go; it says when it is there.
 */
go: Place | null, settings: SettingsView, version: string, };

export type Page = "starting" | "broken" | "not_joined" | "joined";

export type Org = { name: string, 
/**
 * What the org calls this device.
 */
device: string, account: Account, hub: Hub, services: Array<Service>, 
/**
 * Those that no single service shows.
 */
problems: Array<ProblemView>, 
/**
 * The person's other devices, and those that ask to be let in.
 */
devices: Devices, 
/**
 * Who asks for access, and what is held.
 */
access: Access, 
/**
 * The form that asks for access, while it is open.
 */
ask: AskSheet | null, };

export type Account = { "is": "signed_out", last: string | null, } | { "is": "signing_in", steps: Array<Step>, url: string | null, url_copied: boolean, 
/**
 * Why the browser may not have come back, most likely first; empty for the first minute.
 */
likely: Array<string>, 
/**
 * What to type elsewhere, in a sign-in without a browser here.
 */
code: SignInCodeView | null, } | { "is": "signed_in", name: string, left: string, until: number, 
/**
 * It ends soon enough to sign in again now.
 */
soon: boolean, 
/**
 * How far that has got, while everything goes on: `signing_in`.
 */
again: Account | null, };

export type SignInCodeView = { code: string, 
/**
 * Where to type it.
 */
address: string, left: string, };

export type Step = { text: string, progress: Progress, };

export type Progress = "done" | "now" | "later";

export type Hub = { "is": "connected", address: string, } | { "is": "connecting", address: string, } | { "is": "away", address: string, since: number, };

export type Service = { 
/**
 * `acme/warehouse`: what to ask for.
 */
id: string, name: string, title: string, kind: string, 
/**
 * `localhost:15432`
 */
address: string, port: number, state: State, snippets: Array<Snippet>, 
/**
 * What was just put on the clipboard.
 */
copied: Form | null, 
/**
 * What to type, after it was written into `pg_service.conf`.
 */
wrote: string | null, 
/**
 * Why it did not get the port that was asked for.
 */
port_problem: ProblemView | null, 
/**
 * It has to be asked for, and nothing that was asked for here stands.
 */
must_ask: boolean, };

export type State = { "is": "idle" } | { "is": "connecting", step: string, } | { "is": "connected", left: string, until: number, usage: string, 
/**
 * Through the inlet since Connect, both ways.
 */
bytes: number, 
/**
 * Said while the way to the outlet is made anew for programs that wait.
 */
reconnecting: string | null, } | { "is": "disconnecting" } | { "is": "failed", problem: ProblemView, };

export type Snippet = { form: Form, label: string, text: string, };

export type ProblemView = { 
/**
 * No other that is shown has it.
 */
id: string, 
/**
 * The org it is about; `None`: this computer's.
 */
org: string | null, 
/**
 * `TG-2001`
 */
code: string, severity: Level, title: string, cause: string, next: string, 
/**
 * Who can mend it: `your administrator`.
 */
who: string, 
/**
 * Set for what lasts: since when.
 */
since: number | null, button: Button | null, 
/**
 * `None` for what lasts: it goes by itself when it is over.
 */
dismiss: Intent | null, };

export type Level = "info" | "warning" | "error";

export type Button = { label: string, intent: Intent, };

export type ActivityLine = { at: number, text: string, };

export type LinkView = { org: string, address: string, 
/**
 * The fingerprint of the org's root key, in groups of four.
 */
root: string, 
/**
 * Whether it enrols this computer; without one, another computer of the person has to let this one in.
 * A link that was cut short may look like that too.
 */
invitation: boolean, };

export type Arrival = { "is": "link", link: LinkView, 
/**
 * Another one came while this one waited; it was not taken.
 */
another: boolean, } | { "is": "bad", problem: ProblemView, };

export type SettingsView = { theme: Theme, start_at_login: boolean, start_hidden: boolean, notifications: Notifications, 
/**
 * Where they are kept.
 */
file: string, };

export type Theme = "system" | "light" | "dark";

export type Devices = { 
/**
 * New devices that ask this one.
 */
requests: Array<Request>, 
/**
 * Set while this device itself asks another one.
 */
asking: Asking | null, 
/**
 * Newest first.
 */
list: Array<Device>, 
/**
 * Set where this computer can let another one in: the link that is pasted there can be copied here.
 */
link: LinkCopy | null, };

export type Request = { id: string, 
/**
 * `A new device (ana's phone)`
 */
who: string, left: string, state: RequestState, };

export type RequestState = { "is": "asking" } | { "is": "comparing" } | { "is": "words", words: Array<string>, } | { "is": "elsewhere" };

export type Asking = { "is": "sign_in" } | { "is": "waiting", left: string, } | { "is": "words", words: Array<string>, left: string, };

export type Device = { id: string, name: string, this: boolean, revoked: boolean, enrolled: number, seen: number | null, };

export type DeviceAct = { "is": "compare", request: string, } | { "is": "approve", request: string, } | { "is": "decline", request: string, } | { "is": "revoke", device: string, };

export type LinkCopy = { copied: boolean, };

export type Access = { 
/**
 * Waits for this person's decision.
 */
waiting: Array<AccessRequest>, 
/**
 * What this person asked for: open ones, then the last that ended.
 */
own: Array<AccessRequest>, 
/**
 * What others hold now.
 */
given: Array<AccessRequest>, 
/**
 * Somebody broke the glass, and this person has not said that they saw it: whatever has become of it since.
 */
alarms: Array<AccessRequest>, };

export type AccessRequest = { id: string, 
/**
 * The name of the service.
 */
service: string, 
/**
 * Who asks.
 */
by: string, 
/**
 * In their words.
 */
reason: string, 
/**
 * `2 h, read-only`: what was asked for.
 */
wanted: string, asked: number, 
/**
 * Asked for on this computer, the only one that may use it.
 */
here: boolean, read_only: boolean, 
/**
 * Break-glass.
 */
emergency: boolean, 
/**
 * It is to follow one that is held.
 */
more: boolean, 
/**
 * `Seen by bob@acme.example`, and how many have approved.
 */
progress: Array<string>, 
/**
 * What can be given, shortest first; or, of what is held, how much more can be asked for.
 */
times: Array<Time>, state: AccessState, };

export type AccessState = { "is": "waiting", left: string, } | { "is": "unused", gives: string, left: string, } | { "is": "in_use", left: string, until: number, } | { "is": "ended", how: string, };

export type Time = { seconds: number, label: string, 
/**
 * Chosen unless somebody chooses another.
 */
usual: boolean, };

export type AskSheet = { 
/**
 * `acme/warehouse`
 */
service: string, name: string, 
/**
 * The request that more time is asked for.
 */
more: string | null, times: Array<Time>, 
/**
 * Who decides.
 */
who: string, };

export type AskFor = { "is": "service", service: string, } | { "is": "more", request: string, };

export type AccessAct = { "is": "extend", request: string, seconds: number | null, reason: string, } | { "is": "withdraw", request: string, } | { "is": "approve", request: string, seconds: number | null, read_only: boolean, } | { "is": "deny", request: string, because: string, } | { "is": "take_back", request: string, because: string, } | { "is": "saw", requests: Array<string>, };

export type Notifications = "on" | "off";

export type Setting = { "is": "theme", theme: Theme, } | { "is": "start_hidden", on: boolean, } | { "is": "notifications", to: Notifications, } | { "is": "start_at_login", on: boolean, };

export type Place = "settings" | "join";

export type Intent = { "do": "join", link: string, } | { "do": "sign_in", org: string, } | { "do": "sign_in_with_code", org: string, } | { "do": "cancel_sign_in", org: string, } | { "do": "sign_out", org: string, } | { "do": "connect", service: string, } | { "do": "disconnect", service: string, } | { "do": "ask", service: string, seconds: number | null, read_only: boolean, reason: string, } | { "do": "access", org: string, what: AccessAct, } | { "do": "ask_for", org: string, what: AskFor, } | { "do": "ask_no_more" } | { "do": "set_port", service: string, port: number | null, } | { "do": "write_pg_service", service: string, } | { "do": "dismiss", org: string | null, about: { code: number; service?: string; path?: string }, } | { "do": "leave", org: string, } | { "do": "copy", what: Copyable, } | { "do": "open_window" } | { "do": "try_again", org: string | null, } | { "do": "show", what: Place, } | { "do": "shown" } | { "do": "device", org: string, what: DeviceAct, } | { "do": "set", what: Setting, } | { "do": "join_arrived" } | { "do": "drop_arrived" } | { "do": "open_sign_in_page", org: string, } | { "do": "quit" };

export type Copyable = { "is": "connection", service: string, form: Form, } | { "is": "sign_in_url", org: string, } | { "is": "device_link", org: string, } | { "is": "command", about: { code: number; service?: string; path?: string }, };

export type Form = "url" | "psql" | "sqlalchemy" | "pandas" | "jdbc" | "dbeaver" | "env" | "pg_service";
