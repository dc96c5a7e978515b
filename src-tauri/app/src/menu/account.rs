//! Who is signed in where, the ways in and out, and Quit, which says what it ends.
//! A newcomer would offer to sign in again at all times: it is in the way until the session ends soon.

use tidegate_agent::{AccountView, OrgSnapshot, Snapshot};

use super::Menu;
use crate::Intent;
use crate::label::label;
use crate::scene::Scene;
use crate::view::{is_soon, sign_in_step_text};

pub(super) fn account_lines(menu: &mut Menu, scene: &Scene<'_>) {
    let Some(snapshot) = scene.snapshot else {
        let text = if scene.notes.broken {
            "Tidegate could not start"
        } else {
            "Starting…"
        };
        menu.line(text);
        if scene.notes.broken {
            menu.entry("again", "Try again", Intent::TryAgain { org: None });
        }
        return;
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
        AccountView::SignedIn {
            again: Some(again), ..
        } => format!("{name}: {}", sign_in_step_text(again.step)),
        AccountView::SignedIn { name: person, .. } => format!("{name}: {}", label(person)),
    }
}

pub(super) fn account_entries(menu: &mut Menu, scene: &Scene<'_>, snapshot: &Snapshot) {
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
            AccountView::SigningIn(_) => cancel_entry(menu, org, at("Cancel sign-in", "to")),
            AccountView::SignedIn { until, again, .. } => {
                let cancel = at("Cancel sign-in", "to");
                match again {
                    Some(_) => cancel_entry(menu, org, cancel),
                    None if is_soon(scene.now, *until) => menu.entry(
                        format!("sign-in:{name}"),
                        format!("{}…", at("Sign in again", "to")),
                        Intent::SignIn { org: of.clone() },
                    ),
                    None => {}
                }
                menu.entry(
                    format!("sign-out:{name}"),
                    at("Sign out", "of"),
                    Intent::SignOut { org: of },
                );
            }
        }
    }
}

fn cancel_entry(menu: &mut Menu, org: &OrgSnapshot, label: String) {
    let id = format!("cancel-sign-in:{}", org.name);
    let org = org.name.clone();
    menu.entry(id, label, Intent::CancelSignIn { org });
}

/// Quit says what it ends.
pub(super) fn quit_label(snapshot: Option<&Snapshot>) -> String {
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
