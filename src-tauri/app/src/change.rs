//! What happened between two snapshots, as facts: for the activity list, notifications, and the clipboard.
//! A newcomer would raise these inside the agent: snapshots may be skipped, so only what can be told from two of them is said.

use std::collections::BTreeSet;

use crate::access::is_alarm;
use tidegate_agent::{
    AccountView, DeviceRequest, HubState, OrgSnapshot, RequestAt, RequestShown, ServiceRef,
    ServiceState, ServiceView, Snapshot,
};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Joined(OrgName),
    Left(OrgName),
    /// Who, and where.
    SignedIn(String, OrgName),
    SignedOut(OrgName),
    /// After it was said that it cannot be reached.
    HubBack(OrgName),
    Connected(ServiceRef),
    /// Open before, and now neither open nor failed.
    Ended(ServiceRef),
    Failed(ServiceRef, Problem),
    /// A new device of the person asks this one to let it in.
    DeviceAsks(OrgName, DeviceRequest),
    /// Somebody asks for access, and this person decides.
    AccessAsked(OrgName, RequestShown),
    /// Somebody broke the glass, and this person has not seen it.
    Alarm(OrgName, RequestShown),
    /// What this person asked for was decided, or taken away.
    AccessDecided(OrgName, RequestShown),
    /// A problem of no single service, or one that says why a service ended; of that org, or of this computer.
    Arose(Option<OrgName>, Problem),
}

/// A problem and the org it is about; `None`: this computer's.
pub type Told = (Option<OrgName>, Problem);

/// What is known at one moment: the agent's word, and which of its problems are old enough to be shown.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub snapshot: &'a Snapshot,
    pub problems: &'a [Told],
}

/// In the order in which they are told.
pub fn changes(before: Known<'_>, after: Known<'_>) -> Vec<Change> {
    let (was, is) = (before.snapshot, after.snapshot);
    let mut changes = Vec::new();
    let orgs = was.orgs.iter().chain(&is.orgs);
    let names: BTreeSet<&OrgName> = orgs.map(|org| &org.name).collect();
    for name in names {
        let (was, is) = (was.org(name), is.org(name));
        org_changes(was, is, &mut changes);
        changes.extend(hub_change(is, before.problems));
    }
    let arisen = after.problems.iter();
    let arisen = arisen.filter(|told| !before.problems.contains(told));
    changes.extend(
        arisen
            .cloned()
            .map(|(org, problem)| Change::Arose(org, problem)),
    );
    changes
}

fn org_changes(
    before: Option<&OrgSnapshot>,
    after: Option<&OrgSnapshot>,
    changes: &mut Vec<Change>,
) {
    match (before, after) {
        (None, Some(after)) => changes.push(Change::Joined(after.name.clone())),
        (Some(before), None) => changes.push(Change::Left(before.name.clone())),
        (None, None) | (Some(_), Some(_)) => {}
    }
    changes.extend(account_change(before, after));
    changes.extend(after.into_iter().flat_map(|after| {
        let known = before.map_or(&[][..], |before| &before.device_requests);
        let asks = |request: &&DeviceRequest| !known.iter().any(|old| old.id == request.id);
        let new = after.device_requests.iter().filter(asks);
        new.map(|request| Change::DeviceAsks(after.name.clone(), request.clone()))
    }));
    if let (Some(before), Some(after)) = (before, after) {
        access_changes(before, after, changes);
    }
    let services = before.into_iter().flat_map(services_of);
    changes.extend(services.filter_map(|(service, view)| {
        let now = after.and_then(|after| after.service(&view.name));
        end_of(&service, &view.state, now.map(|now| &now.state))
    }));
    let services = after.into_iter().flat_map(services_of);
    changes.extend(services.filter_map(|(service, view)| {
        let was = before.and_then(|before| before.service(&view.name));
        let was_open = was.is_some_and(|was| was.state.is_connected());
        (view.state.is_connected() && !was_open).then_some(Change::Connected(service))
    }));
}

/// What was waiting when this person signed in is shown, and told as what asks now: somebody waits for it.
fn access_changes(before: &OrgSnapshot, after: &OrgSnapshot, changes: &mut Vec<Change>) {
    let was = |request: &RequestShown| before.requests.iter().find(|old| old.id == request.id);
    let waits = |request: &RequestShown| matches!(request.state, RequestAt::Waiting { .. });
    let kind = |request: &RequestShown| std::mem::discriminant(&request.state);
    for request in &after.requests {
        let old = was(request);
        if request.yours && waits(request) && !old.is_some_and(|old| old.yours && waits(old)) {
            changes.push(Change::AccessAsked(after.name.clone(), request.clone()));
        }
        if is_alarm(request) && !old.is_some_and(is_alarm) {
            changes.push(Change::Alarm(after.name.clone(), request.clone()));
        }
        if request.mine && old.is_some_and(|old| kind(old) != kind(request)) {
            changes.push(Change::AccessDecided(after.name.clone(), request.clone()));
        }
    }
}

fn services_of(org: &OrgSnapshot) -> impl Iterator<Item = (ServiceRef, &ServiceView)> {
    let named = |service| (OrgSnapshot::service_ref(org, service), service);
    org.services.iter().map(named)
}

fn account_change(before: Option<&OrgSnapshot>, after: Option<&OrgSnapshot>) -> Option<Change> {
    let person = |org: Option<&OrgSnapshot>| match &org?.account {
        AccountView::SignedIn { name, .. } => Some((name.clone(), org?.name.clone())),
        AccountView::SignedOut { .. } | AccountView::SigningIn(_) => None,
    };
    match (person(before), person(after)) {
        (was, Some(is)) if was.as_ref() != Some(&is) => Some(Change::SignedIn(is.0, is.1)),
        (Some((_, org)), None) => Some(Change::SignedOut(org)),
        (None, None) | (_, Some(_)) => None,
    }
}

fn hub_change(after: Option<&OrgSnapshot>, said: &[Told]) -> Option<Change> {
    let org = after?;
    let is_away = |(about, problem): &Told| {
        about.as_ref() == Some(&org.name)
            && matches!(
                problem.code,
                Code::HubUnreachable | Code::AuthorityAway | Code::HubBusy | Code::HubStopping
            )
            && problem.since.is_some()
    };
    let was_said = said.iter().any(is_away);
    (was_said && org.hub == HubState::Connected).then(|| Change::HubBack(org.name.clone()))
}

fn end_of(name: &ServiceRef, was: &ServiceState, is: Option<&ServiceState>) -> Option<Change> {
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
