//! The tray menu as a value: two that are equal look the same, so the desktop is only bothered when something changed.
//! A newcomer would put a callback on an item: an item carries an `Intent`, and only what is on the menu can be asked for.

mod account;
mod edits;

use account::{account_entries, account_lines, quit_label};
pub use edits::{Edit, edits};

use std::collections::BTreeSet;

use tidegate_agent::{ServiceRef, ServiceState, ServiceView, Snapshot};
use tidegate_proto::words::words;

use crate::Intent;
use crate::access::{self, AskFor};
use crate::activity::device_label;
use crate::arrived::Arrival;
use crate::intent::{Copyable, Form};
use crate::scene::Scene;
use crate::time_left::time_left;
use crate::view::{connect_step_text, waiting};

/// Services that are not in use, in the menu; more would not fit on a laptop's screen.
const IDLE_SHOWN: usize = 10;
/// Services in use, with two or three lines each.
const OPEN_SHOWN: usize = 8;
/// Those that are on their way, or failed.
const MOVING_SHOWN: usize = 5;
const PROBLEMS_SHOWN: usize = 5;

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Menu {
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Says something; cannot be chosen.
    Line(String),
    Entry {
        /// Stable over changes of the label.
        id: String,
        label: String,
        intent: Intent,
    },
    Separator,
}

impl Menu {
    /// What choosing `id` asks for, if it is still on the menu.
    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.items.iter().find_map(|item| match item {
            Item::Entry {
                id: own, intent, ..
            } if own == id => Some(intent),
            Item::Entry { .. } | Item::Line(_) | Item::Separator => None,
        })
    }

    fn line(&mut self, text: impl Into<String>) {
        self.items.push(Item::Line(text.into()));
    }

    fn entry(&mut self, id: impl Into<String>, label: impl Into<String>, intent: Intent) {
        self.items.push(Item::Entry {
            id: id.into(),
            label: label.into(),
            intent,
        });
    }

    /// What did not fit is in the window.
    fn more(&mut self, id: &str, left: usize, what: &str) {
        if left > 0 {
            let text = format!("{left} more {what} in the window…");
            self.entry(format!("more:{id}"), text, Intent::OpenWindow);
        }
    }

    fn separator(&mut self) {
        if !matches!(self.items.last(), None | Some(Item::Separator)) {
            self.items.push(Item::Separator);
        }
    }
}

pub fn menu(scene: &Scene<'_>) -> Menu {
    let mut menu = Menu::default();
    account_lines(&mut menu, scene);
    problem_lines(&mut menu, scene);
    menu.separator();
    if let Some(snapshot) = scene.snapshot {
        open_services(&mut menu, scene, snapshot);
        menu.separator();
        other_services(&mut menu, snapshot);
        menu.separator();
    }
    waiting_lines(&mut menu, scene);
    menu.separator();
    if let Some(snapshot) = scene.snapshot {
        account_entries(&mut menu, scene, snapshot);
    }
    menu.entry("open", "Open Tidegate", Intent::OpenWindow);
    menu.separator();
    menu.entry("quit", quit_label(scene.snapshot), Intent::Quit);
    menu
}

/// For a decision of hers. Below what she came to click, which stays where it was.
fn waiting_lines(menu: &mut Menu, scene: &Scene<'_>) {
    let arrived = scene.notes.arrived.as_ref().map(|arrived| arrived.view());
    if let Some(Arrival::Link { link, .. }) = arrived {
        let text = format!("Join {} waits for you…", link.org);
        menu.entry("arrived", text, Intent::OpenWindow);
    }
    for org in scene.snapshot.iter().flat_map(|snapshot| &snapshot.orgs) {
        // As many as there are: one line for all, because what they call themselves is theirs to choose.
        match org.device_requests.as_slice() {
            [] => {}
            [request] => menu.entry(
                format!("devices:{}", org.name),
                format!("{} asks to be let in…", device_label(request)),
                Intent::OpenWindow,
            ),
            [_, _, ..] => menu.entry(
                format!("devices:{}", org.name),
                format!(
                    "{} new devices ask to be let in…",
                    org.device_requests.len()
                ),
                Intent::OpenWindow,
            ),
        }
    }
    for org in scene.snapshot.iter().flat_map(|snapshot| &snapshot.orgs) {
        if let Some(alarm) = access::alarms(org).next() {
            let text = format!("{}…", access::words::alarm(alarm).0);
            menu.entry(format!("alarm:{}", org.name), text, Intent::OpenWindow);
        }
        let waiting: Vec<_> = access::waits_for_me(org).collect();
        if let Some(text) = access::words::waits(&waiting) {
            menu.entry(format!("access:{}", org.name), text, Intent::OpenWindow);
        }
    }
}

fn problem_lines(menu: &mut Menu, scene: &Scene<'_>) {
    let mut problems = scene.problems();
    // Titles do not say which of three services it is; the window does.
    let mut said = BTreeSet::new();
    problems.retain(|(org, problem)| said.insert((*org, problem.code.number())));
    for (org, problem) in problems.iter().take(PROBLEMS_SHOWN) {
        let of = org.map(|org| format!("{org}:")).unwrap_or_default();
        let id = format!("problem:{of}{}", problem.code);
        menu.entry(id, format!("{}…", words(problem).title), Intent::OpenWindow);
    }
    let left = problems.len().saturating_sub(PROBLEMS_SHOWN);
    menu.more("problems", left, "problems");
}

/// A service as the menu knows it.
struct Line<'a> {
    name: String,
    service: ServiceRef,
    view: &'a ServiceView,
    /// Somebody has to be asked before anything goes through.
    must_ask: bool,
}

fn services<'a>(
    snapshot: &'a Snapshot,
    wanted: impl Fn(&ServiceState) -> bool + 'a,
) -> impl Iterator<Item = Line<'a>> {
    let of_state = snapshot
        .services()
        .filter(move |(_, view)| wanted(&view.state));
    of_state.map(|(org, view)| Line {
        name: snapshot.label(org, view),
        service: org.service_ref(view),
        view,
        must_ask: access::must_ask(org, view),
    })
}

fn open_services(menu: &mut Menu, scene: &Scene<'_>, snapshot: &Snapshot) {
    let open = || services(snapshot, ServiceState::is_connected);
    for line in open().take(OPEN_SHOWN) {
        open_service(menu, scene, line);
    }
    menu.more(
        "open",
        open().count().saturating_sub(OPEN_SHOWN),
        "connected",
    );
}

fn open_service(menu: &mut Menu, scene: &Scene<'_>, line: Line<'_>) {
    let Line {
        name,
        service,
        view,
        ..
    } = line;
    let ServiceState::Connected { until, .. } = view.state else {
        return;
    };
    let left = time_left(scene.now, until);
    menu.separator();
    let state = match &view.reconnecting {
        Some(_) => "reconnecting",
        None => "connected",
    };
    menu.line(format!(
        "{name}: {state} · localhost:{} · {left}",
        view.port
    ));
    if let Some(reconnecting) = &view.reconnecting {
        let why = words(&reconnecting.why).title;
        menu.line(format!("{}: {why}", waiting(reconnecting)));
    }
    let what = Copyable::Connection {
        service: service.clone(),
        form: Form::Url,
    };
    menu.entry(
        format!("copy:{service}"),
        format!("Copy {name} address"),
        Intent::Copy { what },
    );
    if let Some(request) = access::extendable(view) {
        let request = request.to_owned();
        menu.entry(
            format!("extend:{service}"),
            format!("Ask for more time on {name}…"),
            Intent::AskFor {
                org: service.org.clone(),
                what: AskFor::More { request },
            },
        );
    }
    menu.entry(
        format!("disconnect:{service}"),
        format!("Disconnect {name}"),
        Intent::Disconnect { service },
    );
}

fn other_services(menu: &mut Menu, snapshot: &Snapshot) {
    let is_moving = |state: &ServiceState| {
        matches!(
            state,
            ServiceState::Connecting { .. } | ServiceState::Disconnecting | ServiceState::Failed(_)
        )
    };
    let moving = || services(snapshot, is_moving);
    let idle = || services(snapshot, |state| *state == ServiceState::Idle);
    for line in moving().take(MOVING_SHOWN) {
        moving_service(menu, line);
    }
    for Line {
        name,
        service,
        must_ask,
        ..
    } in idle().take(IDLE_SHOWN)
    {
        if must_ask {
            ask_entry(menu, &name, &service);
            continue;
        }
        menu.entry(
            format!("connect:{service}"),
            format!("Connect {name}"),
            Intent::Connect { service },
        );
    }
    let left =
        moving().count().saturating_sub(MOVING_SHOWN) + idle().count().saturating_sub(IDLE_SHOWN);
    menu.more("services", left, "services");
}

/// The form is in the window: a reason has to be typed.
fn ask_entry(menu: &mut Menu, name: &str, service: &ServiceRef) {
    let what = AskFor::Service {
        service: service.service.to_string(),
    };
    menu.entry(
        format!("ask:{service}"),
        format!("Ask for {name}…"),
        Intent::AskFor {
            org: service.org.clone(),
            what,
        },
    );
}

fn moving_service(menu: &mut Menu, line: Line<'_>) {
    let Line {
        name,
        service,
        view,
        must_ask,
    } = line;
    if must_ask && !matches!(view.state, ServiceState::Disconnecting) {
        ask_entry(menu, &name, &service);
    }
    match &view.state {
        ServiceState::Connecting { step } => {
            menu.line(format!("{name}: {}", connect_step_text(*step)));
            menu.entry(
                format!("disconnect:{service}"),
                format!("Cancel {name}"),
                Intent::Disconnect { service },
            );
        }
        ServiceState::Disconnecting => menu.line(format!("{name}: disconnecting…")),
        ServiceState::Failed(problem) => {
            menu.line(format!("{name}: {}", words(problem).title));
            menu.entry(
                format!("connect:{service}"),
                format!("Connect {name}"),
                Intent::Connect { service },
            );
        }
        ServiceState::Idle | ServiceState::Connected { .. } => {}
    }
}
