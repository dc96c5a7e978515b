//! The snapshot as a function of the state.
//! No secret is in reach of a reader: what is copied here is all that window, CLI and socket ever see.

use tidegate_proto::api::access::{NamedAt, RequestState};
use tidegate_proto::api::devices::DeviceInfo;
use tidegate_proto::names::{ServiceName, Subject};
use tidegate_proto::statement::{JoinLink, Promised, ServiceKind};
use tidegate_proto::text::Shown;
use tidegate_proto::time::UnixTime;

use super::access::ending::grant_here;
use super::access::standing::Told;
use super::account::Account;
use super::sockets;
use super::state::{Door, Home, State};
use crate::circuit::Tally;
use crate::devices::newcomer::Introducing;
use crate::devices::sponsor::Us;
use crate::disk::Membership;
use crate::hub::access::Listing;
use crate::inlet::host::Awaited;
use crate::snapshot::{
    AccountView, Askable, ConnectStep, ConnectionStrings, DeviceView, Enrolling, HubState,
    OrgSnapshot, RequestAt, RequestShown, ServiceState, ServiceView, SignIn, SignInStep,
};

/// Renewals keep a deadline further away than this, in seconds; a nearer one is the outlet's own limit.
const OWN_LIMIT: u64 = 360;

/// A service, from the catalogue or, before there is one, from the ticket.
struct Offer<'a> {
    name: &'a ServiceName,
    title: &'a str,
    kind: ServiceKind,
    port: u16,
    database: Option<&'a str>,
}

impl<'a> From<&'a Listing> for Offer<'a> {
    fn from(listing: &'a Listing) -> Self {
        let statement = &listing.statement;
        Self {
            name: &statement.service,
            title: &statement.title,
            kind: statement.kind,
            port: statement.port,
            database: statement.database.as_deref(),
        }
    }
}

impl<'a> From<&'a Promised> for Offer<'a> {
    fn from(promised: &'a Promised) -> Self {
        Self {
            name: &promised.service,
            title: &promised.title,
            kind: promised.kind,
            port: promised.port,
            database: None,
        }
    }
}

impl State {
    /// The whole truth about the org at `now`; `None` while it is not there.
    pub(super) fn snapshot(&self, now: UnixTime) -> Option<OrgSnapshot> {
        let home = self.home.as_ref()?;
        let listed = home.catalogue.values().map(Offer::from);
        let mut shown: Vec<_> = listed.chain(home.promised().map(Offer::from)).collect();
        shown.sort_by_key(|service| service.name);
        Some(OrgSnapshot {
            name: home.membership.org.clone(),
            hub_address: home.membership.hub.clone(),
            device: home.membership.device.clone(),
            link: link(&home.membership),
            enrolling: self.enrolling(home),
            devices: devices(home),
            device_requests: home.requests.view(self.us(home).as_ref(), now),
            requests: requests(home, self.session().map(|session| &session.claims.subject)),
            printed: home.printed.iter().map(ToString::to_string).collect(),
            account: self.account_view(),
            signing_out: self.goodbyes > 0,
            hub: self.hub,
            services: shown
                .iter()
                .map(|service| self.service_view(service, now))
                .collect(),
            problems: self.problems.clone(),
        })
    }

    /// What a program would wait for right now.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        match &self.account {
            Account::SigningIn { .. } | Account::Introducing { .. } => Some(Awaited::SignIn),
            Account::SignedIn { .. } | Account::Arriving { .. } => match self.hub {
                HubState::Connected => Some(Awaited::Outlet),
                HubState::Connecting | HubState::Away { .. } => Some(Awaited::Hub),
            },
            Account::SignedOut { .. } | Account::Locked { .. } | Account::Waking { .. } => None,
        }
    }

    fn account_view(&self) -> AccountView {
        match &self.account {
            Account::SignedOut { .. } | Account::Locked { .. } | Account::Waking { .. } => {
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
            Account::Introducing { since, .. } => AccountView::SigningIn(SignIn {
                step: SignInStep::WaitingForDevice,
                url: None,
                since: *since,
                likely: Vec::new(),
                code: None,
            }),
            Account::SignedIn { session, again, .. } => AccountView::SignedIn {
                name: session.claims.name.clone(),
                until: session.ends(),
                again: again.as_ref().map(|again| again.view.clone()),
            },
        }
    }

    fn enrolling(&self, home: &Home) -> Option<Enrolling> {
        if !home.membership.device.is_empty() {
            return None;
        }
        Some(match &self.account {
            Account::Introducing { at: Some(at), .. } => match at {
                Introducing::Asking { until } => Enrolling::Asking { until: *until },
                Introducing::Words { words, until } => Enrolling::Words {
                    words: words.map(str::to_owned).to_vec(),
                    until: *until,
                },
            },
            _ => Enrolling::SignIn,
        })
    }

    pub(super) fn us(&self, home: &Home) -> Option<Us> {
        Some(Us {
            org: home.membership.org.clone(),
            sub: self.session()?.claims.subject.clone(),
            key: home.identity.as_ref()?.verify_key(),
        })
    }

    fn service_view(&self, service: &Offer<'_>, now: UnixTime) -> ServiceView {
        let name = service.name;
        // A door that is open stays where it is until it is connected anew.
        let open = self.doors.get(name).and_then(Door::handle);
        let given = || self.port(name).unwrap_or(service.port);
        let port = open.map_or_else(given, |handle| handle.port);
        let tally = self
            .home
            .as_ref()
            .map(|home| home.circuits.live.tally(name))
            .unwrap_or_default();
        let home = self.home.as_ref();
        let grant = home.and_then(|home| grant_here(home, name, now));
        let ends = grant.as_ref().and_then(|grant| grant.until);
        ServiceView {
            name: name.clone(),
            title: service.title.to_owned(),
            kind: service.kind,
            state: self.service_state(name, (&tally, ends), now),
            port,
            socket: self
                .socket(name, service.kind, port)
                .map(|path| sockets::shown(&path, service.kind)),
            other_port: self.others.get(name).copied(),
            askable: home.and_then(|home| askable(home, name)),
            grant,
            connection: ConnectionStrings::new(name, service.kind, port, service.database),
            traffic: tally.traffic,
            portals: tally.portals,
            reconnecting: tally.reconnecting,
        }
    }

    /// `ends`: when the grant that it is used under does.
    fn service_state(
        &self,
        name: &ServiceName,
        (tally, ends): (&Tally, Option<UnixTime>),
        now: UnixTime,
    ) -> ServiceState {
        match self.doors.get(name) {
            None => ServiceState::Idle,
            Some(Door::Wanted) => ServiceState::Connecting {
                step: self.awaited_step(),
            },
            Some(Door::Opening { step, .. }) => ServiceState::Connecting { step: *step },
            Some(Door::Open { since, .. }) => ServiceState::Connected {
                since: *since,
                until: ends.into_iter().fold(self.until(tally, now), UnixTime::min),
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

/// Where and who the org is, for another computer of the same person.
fn link(membership: &Membership) -> String {
    let hub = membership.hub();
    let link = JoinLink {
        address: hub.address,
        org: hub.org,
        root: hub.root,
        ticket: None,
    };
    link.to_link().to_string()
}

fn askable(home: &Home, service: &ServiceName) -> Option<Askable> {
    let terms = home.askable.iter().find(|one| one.service == *service)?;
    Some(Askable {
        longest: terms.longest,
        usual: terms.usual,
        approvals: terms.approvals,
    })
}

fn requests(home: &Home, person: Option<&Subject>) -> Vec<RequestShown> {
    let own = home.identity.as_ref().map(|key| key.verify_key());
    let mut asked = home.asked.iter();
    let asked_here = asked.find(|told| told.is_by(own));
    let me = person.or(asked_here.map(|told| &told.request.sub));
    let one = |told: &Told| {
        let (view, request) = (&told.view, &told.request);
        let names = |all: &[NamedAt]| all.iter().map(|one| one.who.shown().to_string()).collect();
        RequestShown {
            id: told.id().to_string(),
            service: request.service.clone(),
            by: Shown::new(request.sub.as_str()).to_string(),
            name: view.by.name.as_ref().map(Shown::to_string),
            mine: me == Some(&request.sub),
            here: told.is_by(own),
            yours: view.yours,
            reason: Shown::new(&request.reason).to_string(),
            seconds: request.extent.seconds,
            read_only: request.extent.read_only,
            emergency: request.emergency,
            extends: request.extends.map(|id| id.to_string()),
            asked: request.at,
            needs: view.needs,
            approved: names(&view.approved),
            seen: names(&view.seen),
            seen_by_me: view.seen.iter().any(|one| Some(&one.who.sub) == me),
            state: request_at(told),
        }
    };
    home.asked.iter().map(one).collect()
}

fn request_at(told: &Told) -> RequestAt {
    match &told.view.state {
        RequestState::Waiting { until } => RequestAt::Waiting { until: *until },
        RequestState::Granted {
            extent, claim_by, ..
        } => RequestAt::Granted {
            seconds: extent.seconds,
            read_only: extent.read_only,
            claim_by: *claim_by,
            until: told.end(),
        },
        RequestState::Denied { by, because } => RequestAt::Denied {
            by: by.shown().to_string(),
            because: because.to_string(),
        },
        RequestState::Withdrawn {} => RequestAt::Withdrawn,
        RequestState::Expired {} => RequestAt::Expired,
        RequestState::TakenBack { by, because } => RequestAt::TakenBack {
            by: by.shown().to_string(),
            because: because.to_string(),
        },
        RequestState::Over { used } => RequestAt::Over { used: *used },
    }
}

fn devices(home: &Home) -> Vec<DeviceView> {
    let own = home.identity.as_ref().map(|key| key.verify_key().peer_id());
    let view = |device: &DeviceInfo| DeviceView {
        id: device.id.to_string(),
        name: Shown::new(&device.name).to_string(),
        label: Shown::new(&device.label).to_string(),
        enrolled: device.enrolled,
        seen: device.seen,
        this: Some(device.id) == own,
        revoked: device.revoked,
        vouched_by: device.vouched_by.map(|by| by.to_string()),
    };
    home.devices.iter().map(view).collect()
}
