//! The tray menu as a value: two that are equal look the same, so the desktop is only bothered when something changed.
//! A newcomer would put a callback on an item: an item carries an `Intent`, and only what is on the menu can be asked for.

use tidegate_agent::{AccountView, OrgSnapshot, ServiceRef, ServiceState, Snapshot};
use tidegate_proto::words::words;

use crate::Intent;
use crate::intent::{Copyable, Form};
use crate::scene::Scene;
use crate::time_left::time_left;
use crate::view::{connect_step_text, sign_in_step_text};

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
        account_entries(&mut menu, snapshot);
    }
    menu.entry("open", "Open Tidegate", Intent::OpenWindow);
    menu.separator();
    menu.entry("quit", quit_label(scene.snapshot), Intent::Quit);
    menu
}

fn account_lines(menu: &mut Menu, scene: &Scene<'_>) {
    let Some(snapshot) = scene.snapshot else {
        let text = if scene.notes.broken {
            "Tidegate could not start"
        } else {
            "Starting…"
        };
        return menu.line(text);
    };
    if snapshot.joining {
        menu.line("Joining…");
    } else if snapshot.orgs.is_empty() {
        menu.line("Not joined yet");
    }
    for org in &snapshot.orgs {
        menu.line(account_line(org));
    }
}

fn account_line(org: &OrgSnapshot) -> String {
    let name = &org.name;
    match &org.account {
        AccountView::SignedOut { .. } => format!("{name}: signed out"),
        AccountView::SigningIn(sign_in) => format!("{name}: {}", sign_in_step_text(sign_in.step)),
        AccountView::SignedIn { name: person, .. } => format!("{name}: {person}"),
    }
}

fn problem_lines(menu: &mut Menu, scene: &Scene<'_>) {
    for (_, problem) in scene.problems() {
        let id = format!("problem:{}", problem.code);
        menu.entry(id, format!("{}…", words(problem).title), Intent::OpenWindow);
    }
}

fn open_services(menu: &mut Menu, scene: &Scene<'_>, snapshot: &Snapshot) {
    for (org, service) in snapshot.services() {
        let ServiceState::Connected { until, .. } = service.state else {
            continue;
        };
        let name = snapshot.label(org, service);
        let reference = org.service_ref(service);
        let left = time_left(scene.now, until);
        menu.separator();
        menu.line(format!("{name} · localhost:{} · {left}", service.port));
        let what = Copyable::Connection {
            service: reference.clone(),
            form: Form::Url,
        };
        menu.entry(
            format!("copy:{reference}"),
            format!("Copy {name} address"),
            Intent::Copy { what },
        );
        menu.entry(
            format!("disconnect:{reference}"),
            format!("Disconnect {name}"),
            Intent::Disconnect { service: reference },
        );
    }
}

fn other_services(menu: &mut Menu, snapshot: &Snapshot) {
    for (org, service) in snapshot.services() {
        let name = snapshot.label(org, service);
        other_service(menu, &name, org.service_ref(service), &service.state);
    }
}

fn other_service(menu: &mut Menu, name: &str, service: ServiceRef, state: &ServiceState) {
    let connect_id = format!("connect:{service}");
    match state {
        ServiceState::Idle => menu.entry(
            connect_id,
            format!("Connect {name}"),
            Intent::Connect { service },
        ),
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
                connect_id,
                format!("Connect {name}"),
                Intent::Connect { service },
            );
        }
        ServiceState::Connected { .. } => {}
    }
}

fn account_entries(menu: &mut Menu, snapshot: &Snapshot) {
    if snapshot.orgs.is_empty() && !snapshot.joining {
        menu.entry("join", "Join with a link…", Intent::OpenWindow);
    }
    let many = snapshot.orgs.len() > 1;
    for org in &snapshot.orgs {
        let at = |text: &str, joint: &str| {
            if many {
                format!("{text} {joint} {}", org.name)
            } else {
                text.to_owned()
            }
        };
        let name = &org.name;
        let of = name.clone();
        match &org.account {
            AccountView::SignedOut { .. } => menu.entry(
                format!("sign-in:{name}"),
                format!("{}…", at("Sign in", "to")),
                Intent::SignIn { org: of },
            ),
            AccountView::SigningIn(_) => menu.entry(
                format!("cancel-sign-in:{name}"),
                at("Cancel sign-in", "to"),
                Intent::CancelSignIn { org: of },
            ),
            AccountView::SignedIn { .. } => menu.entry(
                format!("sign-out:{name}"),
                at("Sign out", "of"),
                Intent::SignOut { org: of },
            ),
        }
    }
}

/// Quit says what it ends.
fn quit_label(snapshot: Option<&Snapshot>) -> String {
    let open: Vec<String> = snapshot
        .iter()
        .flat_map(|snapshot| {
            let open = snapshot.services();
            let open = open.filter(|(_, service)| service.state.is_connected());
            open.map(|(org, service)| snapshot.label(org, service))
        })
        .collect();
    match open.as_slice() {
        [] => "Quit Tidegate".to_owned(),
        [name] => format!("Quit Tidegate and disconnect {name}"),
        [_, _, ..] => format!("Quit Tidegate and disconnect {} services", open.len()),
    }
}
