//! What happened between two snapshots, as facts: for the activity list, notifications, and the clipboard.
//! A newcomer would raise these inside the agent: snapshots may be skipped, so only what can be told from two of them is said.

use tidegate_agent::{AccountView, HubState, ServiceState, Snapshot};
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::Problem;

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Joined(OrgName),
    Left,
    SignedIn(String),
    SignedOut,
    HubLost,
    HubBack,
    Connected(ServiceName),
    /// Open before, and now neither open nor failed.
    Ended(ServiceName),
    Failed(ServiceName, Problem),
    /// A problem of no single service, or one that says why a service ended.
    Arose(Problem),
}

/// In the order in which they are told.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(org_change(before, after));
    changes.extend(account_change(before, after));
    changes.extend(hub_change(before, after));
    changes.extend(before.services.iter().filter_map(|service| {
        let now = after.service(&service.name).map(|now| &now.state);
        end_of(&service.name, &service.state, now)
    }));
    changes.extend(after.services.iter().filter_map(|service| {
        let was = before.service(&service.name).map(|was| &was.state);
        let opened = service.state.is_connected() && !was.is_some_and(ServiceState::is_connected);
        opened.then(|| Change::Connected(service.name.clone()))
    }));
    let known = |problem: &&Problem| !before.problems.contains(problem);
    changes.extend(
        after
            .problems
            .iter()
            .filter(known)
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

fn hub_change(before: &Snapshot, after: &Snapshot) -> Option<Change> {
    let away = |snapshot: &Snapshot| matches!(snapshot.hub, HubState::Away { .. });
    match (away(before), away(after)) {
        (false, true) => Some(Change::HubLost),
        (true, _) if after.hub == HubState::Connected => Some(Change::HubBack),
        (true | false, _) => None,
    }
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
