//! The tray menu as a value: two that are equal look the same, so the desktop is only bothered when something changed.
//! A newcomer would put a callback on an item: an item carries an `Intent`, and only what is on the menu can be asked for.

use tidegate_agent::{AccountView, ServiceState, ServiceView, Snapshot};
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
    menu.line(account_line(scene));
    problem_lines(&mut menu, scene);
    menu.separator();
    if let Some(snapshot) = scene.snapshot {
        open_services(&mut menu, scene, snapshot);
        menu.separator();
        other_services(&mut menu, snapshot);
        menu.separator();
        account_entries(&mut menu, &snapshot.account);
    }
    menu.entry("open", "Open Tidegate", Intent::OpenWindow);
    menu.separator();
    menu.entry("quit", quit_label(scene.snapshot), Intent::Quit);
    menu
}

fn account_line(scene: &Scene<'_>) -> String {
    let Some(snapshot) = scene.snapshot else {
        let text = if scene.notes.broken {
            "Tidegate could not start"
        } else {
            "Starting…"
        };
        return text.to_owned();
    };
    let org = snapshot
        .org
        .as_ref()
        .map_or("Tidegate", |org| org.name.as_str());
    match &snapshot.account {
        AccountView::NotJoined => "Not joined yet".to_owned(),
        AccountView::Joining => "Joining…".to_owned(),
        AccountView::SignedOut { .. } => format!("{org}: signed out"),
        AccountView::SigningIn(sign_in) => format!("{org}: {}", sign_in_step_text(sign_in.step)),
        AccountView::SignedIn { name, .. } => format!("{org}: {name}"),
    }
}

fn problem_lines(menu: &mut Menu, scene: &Scene<'_>) {
    for problem in scene.problems() {
        let id = format!("problem:{}", problem.code);
        menu.entry(id, format!("{}…", words(problem).title), Intent::OpenWindow);
    }
}

fn open_services(menu: &mut Menu, scene: &Scene<'_>, snapshot: &Snapshot) {
    for service in &snapshot.services {
        let ServiceState::Connected { until, .. } = service.state else {
            continue;
        };
        let name = &service.name;
        let left = time_left(scene.now, until);
        menu.separator();
        menu.line(format!("{name} · localhost:{} · {left}", service.port));
        let what = Copyable::Connection {
            service: name.clone(),
            form: Form::Url,
        };
        menu.entry(
            format!("copy:{name}"),
            format!("Copy {name} address"),
            Intent::Copy { what },
        );
        menu.entry(
            format!("disconnect:{name}"),
            format!("Disconnect {name}"),
            Intent::Disconnect {
                service: name.clone(),
            },
        );
    }
}

fn other_services(menu: &mut Menu, snapshot: &Snapshot) {
    for service in &snapshot.services {
        other_service(menu, service);
    }
}

fn other_service(menu: &mut Menu, service: &ServiceView) {
    let name = &service.name;
    let connect = Intent::Connect {
        service: name.clone(),
    };
    match &service.state {
        ServiceState::Idle => menu.entry(
            format!("connect:{name}"),
            format!("Connect {name}"),
            connect,
        ),
        ServiceState::Connecting { step } => {
            menu.line(format!("{name}: {}", connect_step_text(*step)));
            menu.entry(
                format!("disconnect:{name}"),
                format!("Cancel {name}"),
                Intent::Disconnect {
                    service: name.clone(),
                },
            );
        }
        ServiceState::Disconnecting => menu.line(format!("{name}: disconnecting…")),
        ServiceState::Failed(problem) => {
            menu.line(format!("{name}: {}", words(problem).title));
            menu.entry(
                format!("connect:{name}"),
                format!("Connect {name}"),
                connect,
            );
        }
        ServiceState::Connected { .. } => {}
    }
}

fn account_entries(menu: &mut Menu, account: &AccountView) {
    match account {
        AccountView::NotJoined => menu.entry("join", "Join with a link…", Intent::OpenWindow),
        AccountView::Joining => {}
        AccountView::SignedOut { .. } => menu.entry("sign-in", "Sign in…", Intent::SignIn),
        AccountView::SigningIn(_) => {
            menu.entry("cancel-sign-in", "Cancel sign-in", Intent::CancelSignIn);
        }
        AccountView::SignedIn { .. } => menu.entry("sign-out", "Sign out", Intent::SignOut),
    }
}

/// Quit says what it ends.
fn quit_label(snapshot: Option<&Snapshot>) -> String {
    let open: Vec<&str> = snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.services)
        .filter(|service| service.state.is_connected())
        .map(|service| service.name.as_str())
        .collect();
    match open.as_slice() {
        [] => "Quit Tidegate".to_owned(),
        [name] => format!("Quit Tidegate and disconnect {name}"),
        [_, _, ..] => format!("Quit Tidegate and disconnect {} services", open.len()),
    }
}
