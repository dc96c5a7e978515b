//! What the window shows, as one value: the TypeScript in `ui/` draws it and decides nothing.
//! A newcomer would put a secret or a raw error in here: this value ends in a web view, so it holds words, names and addresses only.

use serde::Serialize;
use tidegate_agent::{
    AccountView, ConnectStep, HubState, KeyHome, OrgSnapshot, ServiceState, ServiceView, SignIn,
    SignInStep,
};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem, shown};
use tidegate_proto::statement::ServiceKind;
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::likely;
use ts_rs::TS;

use crate::activity::ActivityLine;
use crate::arrived::{Arrival, Arrived};
use crate::intent::{Copyable, Form};
use crate::label::label;
use crate::problem::{ProblemView, problem_view};
use crate::scene::{Notes, Scene};
use crate::settings::{Notifications, Theme};
use crate::time_left::time_left;

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct View {
    pub page: Page,
    /// A join link is being used.
    pub joining: bool,
    /// Sorted by name.
    pub orgs: Vec<Org>,
    /// Those of this computer.
    pub problems: Vec<ProblemView>,
    /// Set where the keys of this device are not in the keyring: what that means for the person.
    pub keys_note: Option<String>,
    /// Whether somebody shows our icon, as far as is known.
    pub tray: bool,
    pub activity: Vec<ActivityLine>,
    /// A join link that came from outside: what it says, before anybody has agreed to it.
    pub arrived: Option<Arrival>,
    pub settings: SettingsView,
    pub version: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    Starting,
    /// The agent could not start; the problems say why.
    Broken,
    NotJoined,
    Joined,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Org {
    pub name: String,
    /// What the org calls this device.
    pub device: String,
    pub account: Account,
    pub hub: Hub,
    pub services: Vec<Service>,
    /// Those that no single service shows.
    pub problems: Vec<ProblemView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Account {
    SignedOut {
        last: Option<String>,
    },
    SigningIn {
        steps: Vec<Step>,
        url: Option<String>,
        url_copied: bool,
        /// Why the browser may not have come back, most likely first; empty for the first minute.
        likely: Vec<&'static str>,
        /// What to type elsewhere, in a sign-in without a browser here.
        code: Option<SignInCodeView>,
    },
    SignedIn {
        name: String,
        left: String,
        #[ts(type = "number")]
        until: UnixTime,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct SignInCodeView {
    pub code: String,
    /// Where to type it.
    pub address: String,
    pub left: String,
}

/// One step of signing in, for a list that shows how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Step {
    pub text: &'static str,
    pub progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    Done,
    Now,
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Hub {
    Connected {
        address: String,
    },
    Connecting {
        address: String,
    },
    Away {
        address: String,
        #[ts(type = "number")]
        since: UnixTime,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Service {
    /// `acme/warehouse`: what to ask for.
    pub id: String,
    pub name: String,
    pub title: String,
    pub kind: &'static str,
    /// `localhost:15432`
    pub address: String,
    pub state: State,
    pub snippets: Vec<Snippet>,
    /// What was just put on the clipboard.
    pub copied: Option<Form>,
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    Idle,
    Connecting {
        step: &'static str,
    },
    Connected {
        left: String,
        #[ts(type = "number")]
        until: UnixTime,
        usage: String,
        /// Through the inlet since Connect, both ways.
        #[ts(type = "number")]
        bytes: u64,
    },
    Disconnecting,
    Failed {
        problem: Box<ProblemView>,
    },
}

/// One way to write the connection down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Snippet {
    pub form: Form,
    pub label: &'static str,
    pub text: String,
}

/// What can be chosen for the app itself, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct SettingsView {
    pub theme: Theme,
    pub start_at_login: bool,
    pub start_hidden: bool,
    pub notifications: Notifications,
    /// Where they are kept.
    pub file: String,
}

pub fn view(scene: &Scene<'_>) -> View {
    let orgs = scene.snapshot.map_or(&[][..], |snapshot| &snapshot.orgs);
    View {
        page: page(scene),
        joining: scene.snapshot.is_some_and(|snapshot| snapshot.joining),
        orgs: orgs.iter().map(|org| org_view(scene, org)).collect(),
        problems: problems_of(scene, None),
        keys_note: keys_note(scene),
        tray: !scene.notes.desktop.iter().any(|problem| problem.code == Code::NoTray),
        activity: scene.notes.activity.lines(),
        arrived: scene.notes.arrived.as_ref().map(Arrived::view),
        settings: settings_view(scene.notes),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn page(scene: &Scene<'_>) -> Page {
    match scene.snapshot {
        None if scene.notes.broken => Page::Broken,
        None => Page::Starting,
        Some(snapshot) if snapshot.orgs.is_empty() => Page::NotJoined,
        Some(_) => Page::Joined,
    }
}

fn org_view(scene: &Scene<'_>, org: &OrgSnapshot) -> Org {
    let services = org.services.iter();
    Org {
        name: org.name.to_string(),
        device: org.device.clone(),
        account: account(scene, org),
        hub: hub(scene, org),
        services: services
            .map(|service| service_view(scene, org, service))
            .collect(),
        problems: problems_of(scene, Some(&org.name)),
    }
}

/// A problem of an org that is no longer there is this computer's.
fn problems_of(scene: &Scene<'_>, org: Option<&OrgName>) -> Vec<ProblemView> {
    let is_there = |name: &OrgName| scene.snapshot.is_some_and(|all| all.org(name).is_some());
    let shown = scene.problems().into_iter();
    shown
        .filter(|(about, _)| about.filter(|name| is_there(name)) == org)
        .map(|(about, problem)| problem_view(about, problem))
        .collect()
}

fn account(scene: &Scene<'_>, org: &OrgSnapshot) -> Account {
    match &org.account {
        AccountView::SignedOut { last } => Account::SignedOut { last: last.clone() },
        AccountView::SigningIn(sign_in) => signing_in(scene, &org.name, sign_in),
        AccountView::SignedIn { name, until } => Account::SignedIn {
            name: label(name),
            left: time_left(scene.now, *until),
            until: *until,
        },
    }
}

fn signing_in(scene: &Scene<'_>, org: &OrgName, sign_in: &SignIn) -> Account {
    let copied = scene
        .copied()
        .filter(|copied| matches!(&copied.what, Copyable::SignInUrl { org: of } if of == org));
    Account::SigningIn {
        steps: steps(sign_in),
        url: sign_in.url.clone(),
        url_copied: copied.is_some(),
        likely: sign_in.likely.iter().map(|cause| likely(*cause)).collect(),
        code: sign_in.code.as_ref().map(|code| SignInCodeView {
            code: code.code.clone(),
            address: code.address.clone(),
            left: time_left(scene.now, code.until),
        }),
    }
}

fn steps(sign_in: &SignIn) -> Vec<Step> {
    const BY_BROWSER: [SignInStep; 6] = [
        SignInStep::AskingHub,
        SignInStep::AskingProvider,
        SignInStep::OpeningBrowser,
        SignInStep::WaitingForBrowser,
        SignInStep::ExchangingCode,
        SignInStep::GettingCredential,
    ];
    const BY_CODE: [SignInStep; 4] = [
        SignInStep::AskingHub,
        SignInStep::AskingProvider,
        SignInStep::WaitingForCode,
        SignInStep::GettingCredential,
    ];
    let order = if sign_in.code.is_some() || sign_in.step == SignInStep::WaitingForCode {
        &BY_CODE[..]
    } else {
        &BY_BROWSER[..]
    };
    let reached = order.iter().position(|step| *step == sign_in.step);
    let steps = order.iter().enumerate().map(|(place, step)| Step {
        text: sign_in_step_text(*step),
        progress: match Some(place).cmp(&reached) {
            std::cmp::Ordering::Less => Progress::Done,
            std::cmp::Ordering::Equal => Progress::Now,
            std::cmp::Ordering::Greater => Progress::Later,
        },
    });
    steps.collect()
}

fn hub(scene: &Scene<'_>, org: &OrgSnapshot) -> Hub {
    let address = org.hub_address.to_string();
    match org.hub {
        HubState::Connected => Hub::Connected { address },
        HubState::Away { since } if is_news(scene, since) => Hub::Away { address, since },
        HubState::Connecting | HubState::Away { .. } => Hub::Connecting { address },
    }
}

/// Away for as long as the problem needs to be shown.
fn is_news(scene: &Scene<'_>, since: UnixTime) -> bool {
    let away = Problem::new(Code::HubUnreachable).since(since);
    !shown([&away], scene.now).is_empty()
}

fn service_view(scene: &Scene<'_>, org: &OrgSnapshot, service: &ServiceView) -> Service {
    let reference = org.service_ref(service);
    let copied = scene.copied().and_then(|copied| match &copied.what {
        Copyable::Connection {
            service: copied,
            form,
        } if *copied == reference => Some(*form),
        Copyable::Connection { .. } | Copyable::SignInUrl { .. } => None,
    });
    Service {
        id: reference.to_string(),
        name: service.name.to_string(),
        title: service.title.clone(),
        title: label(&service.title),
        kind: match service.kind {
            ServiceKind::Tcp => "TCP",
            ServiceKind::Postgres => "PostgreSQL",
        },
        address: format!("localhost:{}", service.port),
        state: state(scene, org, service),
        snippets: snippets(service),
        copied,
    }
}

fn state(scene: &Scene<'_>, org: &OrgSnapshot, service: &ServiceView) -> State {
    match &service.state {
        ServiceState::Idle => State::Idle,
        ServiceState::Connecting { step } => State::Connecting {
            step: connect_step_text(*step),
        },
        ServiceState::Connected { until, .. } => State::Connected {
            left: time_left(scene.now, *until),
            until: *until,
            usage: usage(service),
            bytes: service.traffic.sent.saturating_add(service.traffic.received),
        },
        ServiceState::Disconnecting => State::Disconnecting,
        ServiceState::Failed(problem) => State::Failed {
            problem: Box::new(problem_view(Some(&org.name), problem)),
        },
    }
}

fn snippets(service: &ServiceView) -> Vec<Snippet> {
    let url_label = match service.kind {
        ServiceKind::Tcp => "Address",
        ServiceKind::Postgres => "URL",
    };
    let forms = [
        (Form::Url, url_label),
        (Form::Psql, "psql"),
        (Form::Sqlalchemy, "SQLAlchemy"),
        (Form::Pandas, "pandas"),
        (Form::Jdbc, "JDBC"),
        (Form::Dbeaver, "DBeaver"),
        (Form::Env, ".env"),
        (Form::PgService, "pg_service.conf"),
    ];
    let present = forms.into_iter().filter_map(|(form, label)| {
        let text = service.connection.get(form.into())?;
        Some(Snippet { form, label, text })
    });
    present.collect()
}

fn usage(service: &ServiceView) -> String {
    let programs = match service.portals {
        0 => "not in use now".to_owned(),
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    };
    let (sent, received) = (service.traffic.sent, service.traffic.received);
    if sent == 0 && received == 0 {
        return programs;
    }
    format!(
        "{programs}; {} sent, {} received so far",
        bytes(sent),
        bytes(received)
    )
}

/// `812 B`, `4.2 kB`, `1.3 GB`: decimal, like the file managers people know.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match UNITS.into_iter().find(|(size, _)| count >= *size) {
        None => format!("{count} B"),
        Some((size, unit)) => {
            let tenths = count / (size / 10);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

fn settings_view(notes: &Notes) -> SettingsView {
    SettingsView {
        theme: notes.settings.theme,
        start_at_login: notes.at_login,
        start_hidden: notes.settings.start_hidden,
        notifications: notes.settings.notifications,
        file: notes.settings_file.clone(),
    }
}

/// Not beside a problem that says the same.
fn keys_note(scene: &Scene<'_>) -> Option<String> {
    let said =
        |problem: &Problem| matches!(problem.code, Code::KeyringAbsent | Code::KeyringLocked);
    if scene.problems().iter().any(|(_, problem)| said(problem)) {
        return None;
    }
    match scene.snapshot?.keys {
        KeyHome::Keyring => None,
        KeyHome::Memory => Some(
            "No keyring could be used, so this computer's keys are kept in memory only. \
             After Tidegate quits you need a new join link."
                .to_owned(),
        ),
        KeyHome::File => {
            Some("This computer's keys are kept in a file that only you can read.".to_owned())
        }
    }
}

pub(crate) fn sign_in_step_text(step: SignInStep) -> &'static str {
    match step {
        SignInStep::AskingHub => "Asking the hub",
        SignInStep::AskingProvider => "Asking your organisation's sign-in",
        SignInStep::OpeningBrowser => "Opening your browser",
        SignInStep::WaitingForBrowser => "Waiting for you in the browser",
        SignInStep::WaitingForCode => "Waiting for the code to be typed",
        SignInStep::WaitingForDevice => "Waiting for your other computer",
        SignInStep::ExchangingCode => "Checking the answer",
        SignInStep::GettingCredential => "Getting your credential",
    }
}

pub(crate) fn connect_step_text(step: ConnectStep) -> &'static str {
    match step {
        ConnectStep::WaitingForSignIn => "waiting for you to sign in",
        ConnectStep::WaitingForHub => "waiting for the hub",
        ConnectStep::OpeningPort => "opening the local port",
        ConnectStep::AskingOutlet => "asking the outlet",
    }
}
