// Generated from src-tauri/app by its test `bindings`. Do not edit.

export type View = { page: Page, joining: boolean, orgs: Array<Org>, problems: Array<ProblemView>, keys_note: string | null, tray: boolean, activity: Array<ActivityLine>, arrived: Arrival | null, settings: SettingsView, version: string, };

export type Page = "starting" | "broken" | "not_joined" | "joined";

export type Org = { name: string, device: string, account: Account, hub: Hub, services: Array<Service>, problems: Array<ProblemView>, };

export type Account = { "is": "signed_out", last: string | null, } | { "is": "signing_in", steps: Array<Step>, url: string | null, url_copied: boolean, likely: Array<string>, code: Code | null, } | { "is": "signed_in", name: string, left: string, until: number, };

export type Code = { code: string, address: string, left: string, };

export type Step = { text: string, progress: Progress, };

export type Progress = "done" | "now" | "later";

export type Hub = { "is": "connected", address: string, } | { "is": "connecting", address: string, } | { "is": "away", address: string, since: number, };

export type Service = { id: string, name: string, title: string, kind: string, address: string, port: number, port_chosen: boolean, state: State, snippets: Array<Snippet>, copied: Form | null, };

export type State = { "is": "idle" } | { "is": "connecting", step: string, } | { "is": "connected", left: string, until: number, usage: string, bytes: number, } | { "is": "disconnecting" } | { "is": "failed", problem: ProblemView, };

export type Snippet = { form: Form, label: string, text: string, };

export type ProblemView = { code: string, severity: Level, title: string, cause: string, next: string, who: string, since: number | null, button: Button | null, dismiss: Intent | null, };

export type Level = "info" | "warning" | "error";

export type Button = { label: string, intent: Intent, };

export type ActivityLine = { at: number, text: string, };

export type LinkView = { org: string, address: string, root: string, };

export type SettingsView = { theme: Theme, start_hidden: boolean, notifications: Notifications, start_at_login: boolean, file: string, };

export type Arrival = { "is": "link", link: LinkView, } | { "is": "bad", problem: ProblemView, };

export type Theme = "system" | "light" | "dark";

export type Notifications = "on" | "off";

export type Setting = { "is": "theme", theme: Theme, } | { "is": "start_hidden", on: boolean, } | { "is": "notifications", to: Notifications, } | { "is": "start_at_login", on: boolean, };

export type Intent = { "do": "join", link: string, } | { "do": "sign_in", org: string, } | { "do": "sign_in_with_code", org: string, } | { "do": "cancel_sign_in", org: string, } | { "do": "sign_out", org: string, } | { "do": "connect", service: string, } | { "do": "disconnect", service: string, } | { "do": "set_port", service: string, port: number | null, } | { "do": "dismiss", org: string | null, code: number, } | { "do": "leave", org: string, } | { "do": "copy", what: Copyable, } | { "do": "write_pg_service", service: string, } | { "do": "open_window" } | { "do": "open_sign_in_page", org: string, } | { "do": "set", what: Setting, } | { "do": "join_arrived" } | { "do": "drop_arrived" } | { "do": "quit" };

export type Copyable = { "is": "connection", service: string, form: Form, } | { "is": "sign_in_url", org: string, };

export type Form = "url" | "psql" | "sqlalchemy" | "pandas" | "jdbc" | "dbeaver" | "env" | "pg_service";
