//! The owner's own record of things: facts only.
//! A newcomer would keep what is shown in here too; `view.rs` computes that anew each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tidegate_proto::api::access::Askable;
use tidegate_proto::api::devices::DeviceInfo;
use tidegate_proto::grant::Grant;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Actor, Code, Problem, Severity};
use tidegate_proto::statement::{GrantId, IdpStatement, Promised};
use tidegate_proto::time::UnixTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::access::order::Heard;
use super::access::standing::Told;
use super::account::Account;
use super::door::DoorHandle;
use super::sockets::Sockets;
use super::troubles;
use crate::ServiceRef;
use crate::circuit::Circuits;
use crate::devices::sponsor::Requests;
use crate::disk::Membership;
use crate::hub::access::Catalogue;
use crate::ports::Ports;
use crate::signin::tokens::Session;
use crate::snapshot::{ConnectStep, HubState};

/// A task that is aborted when it is replaced or dropped.
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(mut self) {
        let _ = (&mut self.0).await;
    }

    /// Aborts it and waits until it is gone.
    pub(super) async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A sign-in that can be told to end; dropping it ends it without a word to its tab.
pub(super) struct Running {
    pub(super) stop: watch::Sender<Option<Problem>>,
    pub(super) task: Task,
}

/// A joined org at work.
pub(super) struct Home {
    pub(super) membership: Membership,
    /// `None` while the keyring is locked or has lost it.
    pub(super) identity: Option<Arc<SigningKey>>,
    pub(super) circuits: Arc<Circuits>,
    /// For showing. What portals are opened by is in `Access`.
    pub(super) catalogue: Catalogue,
    /// As the hub said last.
    pub(super) idp: Option<IdpStatement>,
    /// The person's devices, as the hub said last.
    pub(super) devices: Vec<DeviceInfo>,
    /// New ones that ask to be let in by this one.
    pub(super) requests: Requests,
    /// Requests for access that concern the person, as the hub said last.
    pub(super) asked: Vec<Told>,
    /// Which of its lists that was.
    pub(super) heard: Heard,
    pub(super) askable: Vec<Askable>,
    /// What was granted to this device, to present it.
    pub(super) held: BTreeMap<GrantId, Arc<Grant>>,
    /// What is on its way.
    pub(super) fetching: BTreeSet<GrantId>,
    /// Those that a terminal has printed by their first letters, the oldest first.
    pub(super) printed: VecDeque<GrantId>,
}

impl Home {
    /// What the ticket named and no catalogue has confirmed or denied yet.
    pub(super) fn promised(&self) -> impl Iterator<Item = &Promised> {
        let promised = self.membership.promised.iter();
        promised.filter(|one| !self.catalogue.contains_key(&one.service))
    }

    /// Whether it is shown at all.
    pub(super) fn lists(&self, service: &ServiceName) -> bool {
        self.catalogue.contains_key(service) || self.promised().any(|one| one.service == *service)
    }
}

/// What a person did with a service.
pub(super) enum Door {
    /// Connect came before access; it goes on when access is there.
    Wanted,
    Opening {
        step: ConnectStep,
        handle: DoorHandle,
    },
    Open {
        since: UnixTime,
        handle: DoorHandle,
        /// Why it closes as soon as nothing runs any more.
        over: Option<Problem>,
    },
    /// Told to close.
    Closing {
        handle: DoorHandle,
        after: After,
    },
    Failed(Problem),
}

/// What comes when a door has closed.
#[derive(Debug)]
pub(super) enum After {
    Nothing,
    /// The person must see why.
    Failed(Problem),
    /// Somebody clicked Connect meanwhile.
    Again,
}

impl Door {
    pub(super) fn handle(&self) -> Option<&DoorHandle> {
        match self {
            Self::Opening { handle, .. }
            | Self::Open { handle, .. }
            | Self::Closing { handle, .. } => Some(handle),
            Self::Wanted | Self::Failed(_) => None,
        }
    }

    pub(super) fn into_handle(self) -> Option<DoorHandle> {
        match self {
            Self::Opening { handle, .. }
            | Self::Open { handle, .. }
            | Self::Closing { handle, .. } => Some(handle),
            Self::Wanted | Self::Failed(_) => None,
        }
    }
}

/// Everything the owner of an org knows.
pub(super) struct State {
    pub(super) account: Account,
    pub(super) home: Option<Home>,
    pub(super) hub: HubState,
    pub(super) doors: BTreeMap<ServiceName, Door>,
    pub(super) problems: Vec<Problem>,
    pub(super) ports: Ports,
    pub(super) sockets: Arc<Sockets>,
    /// Ports that were free when a service could not have its own.
    pub(super) others: BTreeMap<ServiceName, u16>,
    /// Sign-outs of which the provider is still being told.
    pub(super) goodbyes: usize,
}

impl State {
    pub(super) fn new(ports: Ports, sockets: Arc<Sockets>) -> Self {
        Self {
            account: Account::nobody(),
            home: None,
            hub: HubState::Connecting,
            doors: BTreeMap::new(),
            problems: Vec::new(),
            ports,
            sockets,
            goodbyes: 0,
            others: BTreeMap::new(),
        }
    }

    pub(super) fn better(&mut self, codes: &[Code]) {
        troubles::remove(&mut self.problems, codes);
    }

    /// A fresh attempt at something clears what the last one left.
    pub(super) fn forget_about(&mut self, service: &ServiceName) {
        self.problems
            .retain(|problem| problem.facts.service.as_ref() != Some(service));
    }

    pub(super) fn forget_sign_in(&mut self) {
        let about_sign_in = |code: Code| (3000..4000).contains(&code.number());
        self.problems
            .retain(|problem| !about_sign_in(problem.code) && !ends_a_session(problem.code));
    }

    /// The fixed port of a service in the catalogue, or of one that the ticket named.
    pub(super) fn port(&self, service: &ServiceName) -> Option<u16> {
        let home = self.home.as_ref()?;
        let listed = match home.catalogue.get(service) {
            Some(listing) => listing.statement.port,
            None => home.promised().find(|one| one.service == *service)?.port,
        };
        let given = self
            .ports
            .of(&ServiceRef::new(&home.membership.org, service));
        Some(given.unwrap_or(listed))
    }

    /// Tells the book of ports what the org lists.
    pub(super) fn list_ports(&self) {
        let Some(home) = &self.home else { return };
        let listed = home.catalogue.iter();
        let listed = listed.map(|(service, listing)| (service.clone(), listing.statement.port));
        let promised = home.promised().map(|one| (one.service.clone(), one.port));
        self.ports
            .list(&home.membership.org, listed.chain(promised));
    }

    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.account.session()
    }

    /// Whether the keyring did not give the key of this device, and may do so later.
    pub(super) fn waits_for_keyring(&self) -> bool {
        matches!(self.account, Account::Locked { asking: None, .. })
    }

    pub(super) fn is_any_open(&self) -> bool {
        self.doors
            .values()
            .any(|door| matches!(door, Door::Open { .. }))
    }

    /// Services whose Connect waits for access.
    pub(super) fn wanted(&self) -> Vec<ServiceName> {
        let wanted = self
            .doors
            .iter()
            .filter(|(_, door)| matches!(door, Door::Wanted));
        wanted.map(|(service, _)| service.clone()).collect()
    }
}

/// Whether a problem of a portal means that the whole door must close.
pub(super) fn closes_the_door(code: Code) -> bool {
    ends_a_session(code)
        || matches!(
            code,
            Code::PolicyChanged
                | Code::Expired
                | Code::GrantEnded
                | Code::GrantEndedByPeople
                | Code::KillSwitch
                | Code::NotAvailable
        )
}

fn ends_a_session(code: Code) -> bool {
    matches!(
        code,
        Code::RevokedByAdmin | Code::Revoked | Code::SessionExpired | Code::SignedOutByProvider
    )
}

/// Whether an open portal to `service` proves that the problem is over.
pub(super) fn is_cured_by_a_portal(problem: &Problem, service: &ServiceName) -> bool {
    let about_the_way = matches!(problem.code.actor(), Actor::Peer | Actor::Network);
    problem.facts.service.as_ref() == Some(service)
        && about_the_way
        && problem.code.severity() != Severity::Info
}
