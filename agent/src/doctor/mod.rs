//! Looks at everything between this person and a query, says what it found and how to mend it; window and CLI show the same list.
//! A newcomer would stop at the first trouble: every check has a limit of its own and runs beside the others, so one dead host hides nothing.

mod account;
mod browser;
mod clock;
mod device;
mod hub;
mod keyring;
mod port;
mod provider;
mod proxy;
pub(crate) mod query;
mod relay;
mod service;
#[cfg(test)]
mod tests;
mod tray;

use std::time::Duration;

use futures_util::future::join_all;
pub use tidegate_proto::check::{Check, Verdict};
use tidegate_proto::check::{Needs, blame};
use tidegate_proto::problem::{Code, Problem};
use tokio::time::timeout;

use crate::disk::{Membership, Orgs};
use crate::{KeyStoreKind, OrgSnapshot, Places, ServiceRef, Snapshot};

/// For one check, in whatever state the network is.
const LIMIT: Duration = Duration::from_secs(12);

/// What has to be right before something else can be: of all that fails for one reason, only the reason is shown.
const NEEDS: [Needs; 14] = [
    ("tray", &["session bus"]),
    ("keyring", &["session bus"]),
    ("hub", &["dns", "clock"]),
    ("policy", &["dns", "hub", "clock"]),
    ("relay", &["dns", "hub"]),
    ("provider", &["dns", "hub", "proxy", "clock"]),
    ("device", &["keyring"]),
    (
        "account",
        &[
            "keyring", "device", "clock", "dns", "hub", "proxy", "provider",
        ],
    ),
    ("port", &[]),
    ("access", WAY),
    ("outlet", WAY),
    ("database", WAY),
    ("target", WAY),
    ("query", WAY),
];

/// Everything between this person and an answer of a service's outlet.
const WAY: &[&str] = &[
    "agent", "keyring", "device", "clock", "dns", "hub", "relay", "account", "port",
];

/// Whom to look at.
pub struct Patient {
    pub places: Places,
    /// Where secrets are kept.
    pub keys: KeyStoreKind,
    /// What the agent says; `None` where none could be started, which is a finding of its own.
    pub snapshot: Result<Snapshot, Problem>,
    /// Whether that agent was running before.
    pub running: bool,
}

/// Everything, in the order in which a person should read it: this computer, then the way to each org, then its services.
pub async fn examine(patient: &Patient) -> Vec<Check> {
    let here = async {
        tokio::join!(
            bounded(keyring::check(patient)),
            bounded(tray::check()),
            bounded(async { browser::check() }),
            bounded(proxy::check()),
        )
    };
    let orgs = async {
        match &patient.snapshot {
            Ok(snapshot) => {
                join_all(snapshot.orgs.iter().map(|org| way(patient, snapshot, org))).await
            }
            Err(_) => Vec::new(),
        }
    };
    let ((keyring, tray, browser, proxy), orgs) = tokio::join!(here, orgs);
    let mut checks = vec![agent(patient), keyring, tray, browser, proxy];
    let is_joined = |snapshot: &Snapshot| !snapshot.orgs.is_empty();
    if patient
        .snapshot
        .as_ref()
        .is_ok_and(|snapshot| !is_joined(snapshot))
    {
        checks.push(Check::problem("org", &Code::NotJoined.into()));
    }
    checks.extend(orgs.into_iter().flatten());
    blame(&mut checks, &NEEDS);
    checks
}

/// The way to one org, and what is at its end.
async fn way(patient: &Patient, snapshot: &Snapshot, org: &OrgSnapshot) -> Vec<Check> {
    let about = |check: Check| check.about(org.name.as_str());
    let membership = match Orgs::peek(&patient.places.data_dir, &org.name) {
        Ok(Some(membership)) => membership,
        Ok(None) => return vec![about(Check::problem("device", &Code::NotJoined.into()))],
        Err(problem) => return vec![about(Check::problem("device", &problem))],
    };
    let services = org.services.iter().map(|view| {
        let service = ServiceRef::new(&org.name, &view.name);
        async move {
            let port = bounded(port::check(view)).await;
            let service_checks = service::checks(view).await;
            let all = std::iter::once(port).chain(service_checks);
            all.map(|check| check.about(&service.to_string()))
                .collect::<Vec<_>>()
        }
    });
    let far = way_out(&membership);
    let (far, device, services) = tokio::join!(
        far,
        bounded(device::check(patient, snapshot, &membership)),
        join_all(services)
    );
    let near = [device, account::check(snapshot, org)];
    let all = far.into_iter().chain(near).map(about);
    all.chain(services.into_iter().flatten()).collect()
}

/// Hub, relays, provider and what they say about our clock.
async fn way_out(membership: &Membership) -> Vec<Check> {
    let (hub, relays) = tokio::join!(
        async { timeout(LIMIT, hub::look(membership)).await },
        bounded(relay::check(membership))
    );
    let Ok(hub) = hub else {
        return vec![Check::problem("hub", &Code::TimedOut.into()), relays];
    };
    let (provider, clock) = match &hub.idp {
        Some(idp) => match timeout(LIMIT, provider::look(idp)).await {
            Ok((check, date)) => (check, clock::check(hub.clock, date.as_deref())),
            Err(_) => (
                Check::problem("provider", &Code::TimedOut.into()),
                clock::check(hub.clock, None),
            ),
        },
        None => (
            Check::skipped(
                "provider",
                "The hub says who it is, and the hub did not answer.",
            ),
            clock::check(hub.clock, None),
        ),
    };
    [hub.dns, hub.reach, hub.authority, relays, provider, clock].into()
}

fn agent(patient: &Patient) -> Check {
    match (&patient.snapshot, patient.running) {
        (Err(problem), _) => Check::problem("agent", problem),
        (Ok(_), true) => Check::ok("agent", "It is running."),
        (Ok(_), false) => Check::warn(
            "agent",
            "None is running, so nothing is open.",
            "Start the app, or `tidegate connect SERVICE`.",
        ),
    }
}

async fn bounded(check: impl Future<Output = Check>) -> Check {
    let late = |_| Check::problem("time", &Code::TimedOut.into());
    timeout(LIMIT, check).await.unwrap_or_else(late)
}
