// Generated from src-tauri/app by its test `bindings`. Do not edit.

export type View = { account: Account, hub: Hub, services: Array<Service>, 
/**
 * Those that no single service shows.
 */
problems: Array<ProblemView>, 
/**
 * Set where the keys of this device are not in the keyring: what that means for the person.
 */
keys_note: string | null, activity: Array<ActivityLine>, 
/**
 * A join link that came from outside: what it says, before anybody has agreed to it.
 */
arrived: Arrival | null, settings: SettingsView, version: string, };

export type Account = { "is": "starting" } | { "is": "broken" } | { "is": "not_joined" } | { "is": "joining" } | { "is": "signed_out", org: string, last: string | null, } | { "is": "signing_in", org: string, steps: Array<Step>, url: string | null, url_copied: boolean, } | { "is": "signed_in", org: string, name: string, left: string, until: number, };

export type Step = { text: string, progress: Progress, };

export type Progress = "done" | "now" | "later";

export type Hub = { "is": "none" } | { "is": "connected", address: string, } | { "is": "connecting", address: string, } | { "is": "away", address: string, since: number, };

export type Service = { 
/**
 * `acme/warehouse`: what to ask for.
 */
id: string, 
/**
 * `warehouse`; with several orgs `acme/warehouse`.
 */
name: string, title: string, kind: string, 
/**
 * `localhost:15432`
 */
address: string, state: State, snippets: Array<Snippet>, 
/**
 * What was just put on the clipboard.
 */
copied: Form | null, };

export type State = { "is": "idle" } | { "is": "connecting", step: string, } | { "is": "connected", left: string, until: number, usage: string, } | { "is": "disconnecting" } | { "is": "failed", problem: ProblemView, };

export type Snippet = { form: Form, label: string, text: string, };

export type ProblemView = { 
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
root: string, };

export type Arrival = { "is": "link", link: LinkView, } | { "is": "bad", problem: ProblemView, };

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
list: Array<Device>, };

export type Request = { id: string, 
/**
 * `A new device (ana's phone)`
 */
who: string, left: string, state: RequestState, };

export type RequestState = { "is": "asking" } | { "is": "comparing" } | { "is": "words", words: Array<string>, } | { "is": "elsewhere" };

export type Asking = { "is": "sign_in" } | { "is": "waiting", left: string, } | { "is": "words", words: Array<string>, left: string, };

export type Device = { id: string, name: string, this: boolean, revoked: boolean, enrolled: number, seen: number | null, };

export type DeviceAct = { "is": "compare", request: string, } | { "is": "approve", request: string, } | { "is": "decline", request: string, } | { "is": "revoke", device: string, };

export type Notifications = "on" | "off";

export type Setting = { "is": "theme", theme: Theme, } | { "is": "start_hidden", on: boolean, } | { "is": "notifications", to: Notifications, } | { "is": "start_at_login", on: boolean, };

export type Intent = { "do": "join", link: string, } | { "do": "sign_in", org: string, } | { "do": "cancel_sign_in", org: string, } | { "do": "sign_out", org: string, } | { "do": "connect", service: string, } | { "do": "disconnect", service: string, } | { "do": "dismiss", org: string | null, code: number, } | { "do": "leave", org: string, } | { "do": "copy", what: Copyable, } | { "do": "open_window" } | { "do": "device", org: string, what: DeviceAct, } | { "do": "set", what: Setting, } | { "do": "join_arrived" } | { "do": "drop_arrived" } | { "do": "open_sign_in_page", org: string, } | { "do": "quit" };

export type Copyable = { "is": "connection", service: string, form: Form, } | { "is": "sign_in_url", org: string, };

export type Form = "url" | "psql" | "sqlalchemy" | "pandas" | "jdbc" | "dbeaver" | "env" | "pg_service";
