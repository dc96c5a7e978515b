//! What the window shows, as one value: the TypeScript in `ui/` draws it and decides nothing.
//! A newcomer would put a secret or a raw error in here: this value ends in a web view, so it holds words, names and addresses only.

mod service;
mod sign_in;

pub use service::{Service, Snippet, State};
pub(crate) use service::{connect_step_text, waiting};
pub use sign_in::{Account, Progress, SignInCodeView, Step};
pub(crate) use sign_in::{is_soon, sign_in_step_text};

use serde::Serialize;
use tidegate_agent::{AccountView, HubState, KeyHome, OrgSnapshot};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem, shown};
use tidegate_proto::time::UnixTime;
use ts_rs::TS;

use crate::access::{Access, AskSheet, access, ask_sheet};
use crate::activity::ActivityLine;
use crate::arrived::{Arrival, Arrived};
use crate::devices::{Devices, devices};
use crate::intent::{Intent, Place};
use crate::problem::{ProblemView, problem_view};
use crate::scene::{Notes, Scene};
use crate::settings::{Notifications, Theme};
use crate::tray_host::TrayHost;
use service::service_view;
use sign_in::account;

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
    /// Where the window is to go; it says when it is there.
    pub go: Option<Place>,
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
    /// The person's other devices, and those that ask to be let in.
    pub devices: Devices,
    /// Who asks for access, and what is held.
    pub access: Access,
    /// The form that asks for access, while it is open.
    pub ask: Option<AskSheet>,
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
        problems: problems_of(scene, None)
            .into_iter()
            .map(|one| on_its_page(scene, one))
            .collect(),
        keys_note: keys_note(scene),
        tray: scene.notes.tray != TrayHost::Gone,
        activity: scene.notes.activity.lines(),
        arrived: scene.notes.arrived.as_ref().map(Arrived::view),
        go: scene.notes.go,
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
        problems: problems_of(scene, Some(&org.name))
            .into_iter()
            .map(|one| beside_sign_in(org, one))
            .collect(),
        devices: devices(scene, org),
        access: access(scene, org),
        ask: ask_sheet(scene, org),
    }
}

/// A problem of an org that is no longer there is this computer's.
fn problems_of(scene: &Scene<'_>, org: Option<&OrgName>) -> Vec<ProblemView> {
    let is_there = |name: &OrgName| scene.snapshot.is_some_and(|all| all.org(name).is_some());
    let shown = scene.problems().into_iter();
    shown
        .filter(|(about, _)| about.filter(|name| is_there(name)) == org)
        .map(|(about, problem)| problem_view(scene, about, problem))
        .collect()
}

/// Whoever is signed out finds the way in right below: one button for it, not two.
fn beside_sign_in(org: &OrgSnapshot, problem: ProblemView) -> ProblemView {
    if !matches!(org.account, AccountView::SignedOut { .. }) {
        return problem;
    }
    let is_other = |intent: &Intent| !matches!(intent, Intent::SignIn { .. });
    ProblemView {
        button: problem.button.filter(|button| is_other(&button.intent)),
        ..problem
    }
}

/// Where the agent could not start, the page itself has the way on, and its reason stays.
fn on_its_page(scene: &Scene<'_>, problem: ProblemView) -> ProblemView {
    if !scene.notes.broken {
        return problem;
    }
    let is_other = |intent: &Intent| !matches!(intent, Intent::TryAgain { .. });
    ProblemView {
        button: problem.button.filter(|button| is_other(&button.intent)),
        dismiss: None,
        ..problem
    }
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
        |problem: &Problem| matches!(problem.code, Code::KeyOnlyInMemory | Code::KeyringAbsent);
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
