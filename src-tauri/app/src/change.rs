//! What happened between two snapshots, as facts: for the activity list, notifications, and the clipboard.
//! A newcomer would raise these inside the agent: snapshots may be skipped, so only what can be told from two of them is said.

use tidegate_agent::{AccountView, HubState, ServiceState, Snapshot};
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem};

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Joined(OrgName),
    Left,
    SignedIn(String),
    SignedOut,
    /// After it was said that it cannot be reached.
    HubBack,
    Connected(ServiceName),
    /// Open before, and now neither open nor failed.
    Ended(ServiceName),
    Failed(ServiceName, Problem),
    /// A problem of no single service, or one that says why a service ended.
    Arose(Problem),
}

/// What is known at one moment: the agent's word, and which of its problems are old enough to be shown.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub snapshot: &'a Snapshot,
    pub problems: &'a [Problem],
}

/// In the order in which they are told.
pub fn changes(before: Known<'_>, after: Known<'_>) -> Vec<Change> {
    let (was, is) = (before.snapshot, after.snapshot);
    let mut changes = Vec::new();
    changes.extend(org_change(was, is));
    changes.extend(account_change(was, is));
    changes.extend(hub_change(before, after));
    changes.extend(was.services.iter().filter_map(|service| {
        let now = is.service(&service.name).map(|now| &now.state);
        end_of(&service.name, &service.state, now)
    }));
    changes.extend(is.services.iter().filter_map(|service| {
        let was = was.service(&service.name).map(|was| &was.state);
        let opened = service.state.is_connected() && !was.is_some_and(ServiceState::is_connected);
        opened.then(|| Change::Connected(service.name.clone()))
    }));
    let arisen = after.problems.iter();
    changes.extend(
        arisen
            .filter(|problem| !before.problems.contains(problem))
            .cloned()
            .map(Change::Arose),
    );
    changes
}

fn org_change(before: &Snapshot, after: &Snapshot) -> Option<Change> {
    let name = |snapshot: &Snapshot| snapshot.org.as_ref().map(|org| org.name.clone());
    match (name(before), name(after)) {
        (was, Some(is)) if was.as_ref() != Some(&is) => Some(Change::Joined(is)),
        (Some(_), None) => Some(Change::Left),
        (None, None) | (_, Some(_)) => None,
    }
}

fn account_change(before: &Snapshot, after: &Snapshot) -> Option<Change> {
    let name = |snapshot: &Snapshot| match &snapshot.account {
        AccountView::SignedIn { name, .. } => Some(name.clone()),
        AccountView::NotJoined
        | AccountView::Joining
        | AccountView::SignedOut { .. }
        | AccountView::SigningIn(_) => None,
    };
    match (name(before), name(after)) {
        (was, Some(is)) if was.as_ref() != Some(&is) => Some(Change::SignedIn(is)),
        (Some(_), None) => Some(Change::SignedOut),
        (None, None) | (_, Some(_)) => None,
    }
}

fn hub_change(before: Known<'_>, after: Known<'_>) -> Option<Change> {
    let is_away = |problem: &Problem| {
        matches!(
            problem.code,
            Code::HubUnreachable | Code::AuthorityAway | Code::HubBusy | Code::HubStopping
        ) && problem.since.is_some()
    };
    let was_said = before.problems.iter().any(is_away);
    (was_said && after.snapshot.hub == HubState::Connected).then_some(Change::HubBack)
}

fn end_of(name: &ServiceName, was: &ServiceState, is: Option<&ServiceState>) -> Option<Change> {
    let was_open = matches!(
        was,
        ServiceState::Connected { .. } | ServiceState::Disconnecting
    );
    match is {
        Some(ServiceState::Failed(problem)) if !matches!(was, ServiceState::Failed(old) if old == problem) => {
            Some(Change::Failed(name.clone(), problem.clone()))
        }
        Some(ServiceState::Idle) | None if was_open => Some(Change::Ended(name.clone())),
        Some(
            ServiceState::Idle
            | ServiceState::Connecting { .. }
            | ServiceState::Connected { .. }
            | ServiceState::Disconnecting
            | ServiceState::Failed(_),
        )
        | None => None,
    }
}
