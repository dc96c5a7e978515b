//! The snapshot as a function of the state.
//! No secret is in reach of a reader: what is copied here is all that window, CLI and socket ever see.

use tidegate_proto::names::ServiceName;
use tidegate_proto::time::UnixTime;

use super::state::{Account, Door, State};
use crate::circuit::Tally;
use crate::hub::access::Listing;
use crate::inlet::door::Awaited;
use crate::snapshot::{
    AccountView, ConnectStep, ConnectionStrings, HubState, OrgSnapshot, ServiceState, ServiceView,
    SignIn, SignInStep,
};

/// Renewals keep a deadline further away than this, in seconds; a nearer one is the outlet's own limit.
const OWN_LIMIT: u64 = 360;

impl State {
    /// The whole truth about the org at `now`; `None` while it is not there.
    pub(super) fn snapshot(&self, now: UnixTime) -> Option<OrgSnapshot> {
        let home = self.home.as_ref()?;
        let listings = home.catalogue.values();
        Some(OrgSnapshot {
            name: home.membership.org.clone(),
            hub_address: home.membership.hub.clone(),
            device: home.membership.device.clone(),
            account: self.account_view(),
            hub: self.hub,
            services: listings
                .map(|listing| self.service_view(listing, now))
                .collect(),
            problems: self.problems.clone(),
        })
    }

    /// What a program would wait for right now.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        match &self.account {
            Account::SigningIn { .. } => Some(Awaited::SignIn),
            Account::SignedIn { .. } | Account::Arriving { .. } => match self.hub {
                HubState::Connected => Some(Awaited::Outlet),
                HubState::Connecting | HubState::Away { .. } => Some(Awaited::Hub),
            },
            Account::SignedOut | Account::Waking { .. } => None,
        }
    }

    fn account_view(&self) -> AccountView {
        match &self.account {
            Account::SignedOut | Account::Waking { .. } => {
                let last = self
                    .home
                    .as_ref()
                    .and_then(|home| home.membership.last.clone());
                AccountView::SignedOut { last }
            }
            Account::SigningIn { view, .. } => AccountView::SigningIn(view.clone()),
            Account::Arriving { since, .. } => AccountView::SigningIn(SignIn {
                step: SignInStep::GettingCredential,
                url: None,
                since: *since,
                likely: Vec::new(),
                code: None,
            }),
            Account::SignedIn { session } => AccountView::SignedIn {
                name: session.claims.name.clone(),
                until: session.ends(),
            },
        }
    }

    fn service_view(&self, listing: &Listing, now: UnixTime) -> ServiceView {
        let statement = &listing.statement;
        let name = &statement.service;
        let port = self.port(name).unwrap_or(statement.port);
        let tally = self
            .home
            .as_ref()
            .map(|home| home.circuits.live.tally(name))
            .unwrap_or_default();
        ServiceView {
            name: name.clone(),
            title: statement.title.clone(),
            kind: statement.kind,
            state: self.service_state(name, &tally, now),
            port,
            connection: ConnectionStrings::new(
                name,
                statement.kind,
                port,
                statement.database.as_deref(),
            ),
            traffic: tally.traffic,
            portals: tally.portals,
        }
    }

    fn service_state(&self, name: &ServiceName, tally: &Tally, now: UnixTime) -> ServiceState {
        match self.doors.get(name) {
            None => ServiceState::Idle,
            Some(Door::Wanted) => ServiceState::Connecting {
                step: self.awaited_step(),
            },
            Some(Door::Opening { step, .. }) => ServiceState::Connecting { step: *step },
            Some(Door::Open { since, .. }) => ServiceState::Connected {
                since: *since,
                until: self.until(tally, now),
            },
            Some(Door::Closing { .. }) => ServiceState::Disconnecting,
            Some(Door::Failed(problem)) => ServiceState::Failed(problem.clone()),
        }
    }

    fn awaited_step(&self) -> ConnectStep {
        if self.session().is_some() {
            ConnectStep::WaitingForHub
        } else {
            ConnectStep::WaitingForSignIn
        }
    }

    /// The session's end, unless the outlet has set a nearer limit to a portal.
    fn until(&self, tally: &Tally, now: UnixTime) -> UnixTime {
        let session_ends = self.session().map_or(now, |session| session.ends());
        match tally.deadline {
            Some(deadline) if deadline < now.plus(OWN_LIMIT) => deadline.min(session_ends),
            _ => session_ends,
        }
    }
}
