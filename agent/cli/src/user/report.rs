//! What `--json` prints: the shapes that scripts may rely on, made from the agent's snapshot.
//! A newcomer would print the snapshot itself: that one changes with the agent, these only grow, and `schema/` says so to a test.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::{
    AccountView, ConnectStep, Follower, Form, GrantHere, HubState, KeyHome, NameOf, OrgName,
    OrgSnapshot, Problem, ServiceKind, ServiceState, ServiceView, SignInStep, Snapshot, words,
};
use tidegate_proto::problem::{Actor, Severity};
use tidegate_proto::time::UnixTime;

/// Counts up when a field is taken away or changes its meaning; new ones come without.
pub(crate) const VERSION: u32 = 1;

/// Everything the agent knows. Times are seconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    /// 1; counts up when a field is taken away or changes its meaning.
    pub(crate) version: u32,
    /// A join link is being used right now.
    pub(crate) joining: bool,
    /// Where this computer's keys live: `keyring`, `memory` or `file`.
    pub(crate) keys: String,
    pub(crate) orgs: Vec<Org>,
    pub(crate) services: Vec<Service>,
    pub(crate) problems: Vec<Trouble>,
}

/// One organisation this computer has joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Org {
    pub(crate) name: String,
    /// Its hub's address: host:port.
    pub(crate) hub: String,
    /// `connected`, `connecting` or `away`.
    pub(crate) hub_state: String,
    /// What the org calls this computer.
    pub(crate) device: String,
    /// `signed_out`, `signing_in` or `signed_in`.
    pub(crate) account: String,
    /// Who is signed in, or was last.
    pub(crate) person: Option<String>,
    /// When the session ends, where there is one.
    pub(crate) until: Option<u64>,
    /// What the sign-in waits for: `asking_hub`, `asking_provider`, `opening_browser`, `waiting_for_browser`, `waiting_for_code`, `exchanging_code`, `waiting_for_device` or `getting_credential`.
    pub(crate) step: Option<String>,
    /// The page to sign in at, while the browser is waited for.
    pub(crate) sign_in_url: Option<String>,
}

/// One service that this person may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) org: String,
    pub(crate) name: String,
    /// Words for people; may be empty.
    pub(crate) title: String,
    /// `tcp` or `postgres`.
    pub(crate) kind: String,
    /// `idle`, `connecting`, `connected`, `disconnecting` or `failed`.
    pub(crate) state: String,
    /// What a connecting service waits for: `waiting_for_sign_in`, `waiting_for_hub`, `opening_port`, `asking_outlet` or `waiting_for_approval`.
    pub(crate) step: Option<String>,
    pub(crate) since: Option<u64>,
    /// When access ends by itself.
    pub(crate) until: Option<u64>,
    /// The local port, the same every day.
    pub(crate) port: u16,
    pub(crate) url: String,
    /// Programs connected right now.
    pub(crate) programs: u32,
    /// Bytes from this computer to the service since it was connected.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Those of them that wait until the way to the outlet is there again.
    pub(crate) reconnecting: u32,
    /// Why it failed, or why the way is not there yet.
    pub(crate) problem: Option<Trouble>,
    /// What was granted to this computer for it, where it has to be asked for.
    pub(crate) grant: Option<Held>,
    /// The connection in every form, by the form's name; in the answers of `connect` and `dsn`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) forms: BTreeMap<String, String>,
}

/// A grant that this computer holds for a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    /// Names it for `tidegate grant`.
    pub(crate) id: String,
    /// In seconds from the first use.
    pub(crate) seconds: u64,
    pub(crate) read_only: bool,
    /// When it ends, once it is in use; unused, until when it may be used for the first time.
    pub(crate) until: u64,
    pub(crate) in_use: bool,
    /// It ends within so many minutes: 15, 5 or 1.
    pub(crate) warning: Option<u8>,
    /// `nothing`, `asked` or `granted`: what goes on afterwards.
    pub(crate) follower: String,
}

/// Something that went wrong. The code is stable, the sentences may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trouble {
    /// `TG-1001`.
    pub(crate) code: String,
    /// `info`, `warning` or `error`.
    pub(crate) severity: String,
    /// Who must act: `peer`, `network`, `this-computer`, `policy` or `us`.
    pub(crate) actor: String,
    pub(crate) org: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) title: String,
    pub(crate) cause: String,
    pub(crate) next: String,
}

/// The answer of `ls`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Services {
    pub(crate) services: Vec<Service>,
}

/// The answer of verbs that only do something: `join`, `leave`, `login`, `logout`, `disconnect`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Done {
    /// What was done: `joined`, `left`, `signed_in`, `signed_out` or `disconnected`.
    pub(crate) done: String,
    pub(crate) org: Option<String>,
    /// `org/service`, one for each that was disconnected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) services: Vec<String>,
    /// Who was signed in.
    pub(crate) person: Option<String>,
}

impl Status {
    /// Without problems that another one explains or that may yet go away by themselves.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        Self::at(snapshot, tidegate_link::now())
    }

    /// As it is then: the window and the tray show these problems too, and no others.
    fn at(snapshot: &Snapshot, now: UnixTime) -> Self {
        let services = snapshot.services();
        Self {
            version: VERSION,
            joining: snapshot.joining,
            keys: match snapshot.keys {
                KeyHome::Keyring => "keyring",
                KeyHome::Memory => "memory",
                KeyHome::File => "file",
            }
            .into(),
            orgs: snapshot.orgs.iter().map(Org::of).collect(),
            services: services
                .map(|(org, service)| Service::of(&org.name, service))
                .collect(),
            problems: snapshot
                .shown(now)
                .into_iter()
                .map(|(org, problem)| Trouble::of(org, problem))
                .collect(),
        }
    }
}

impl Status {
    /// Every name of somebody or something in it.
    pub(crate) fn names(&self) -> Vec<(NameOf, String)> {
        let orgs = self.orgs.iter().flat_map(|org| {
            let person = org.person.clone().unwrap_or_default();
            [
                (NameOf::Org, org.name.clone()),
                (NameOf::Hub, org.hub.clone()),
                (NameOf::Device, org.device.clone()),
                (NameOf::Person, person),
            ]
        });
        let services = self.services.iter().flat_map(|service| {
            [
                (NameOf::Service, service.name.clone()),
                (NameOf::Title, service.title.clone()),
            ]
        });
        orgs.chain(services).collect()
    }
}

impl Org {
    fn of(org: &OrgSnapshot) -> Self {
        let (account, person, until, sign_in) = match &org.account {
            AccountView::SignedOut { last } => ("signed_out", last.clone(), None, None),
            AccountView::SigningIn(sign_in) => ("signing_in", None, None, Some(sign_in)),
            AccountView::SignedIn { name, until, .. } => {
                ("signed_in", Some(name.clone()), Some(until.0), None)
            }
        };
        let step = |step: SignInStep| match step {
            SignInStep::AskingHub => "asking_hub",
            SignInStep::AskingProvider => "asking_provider",
            SignInStep::OpeningBrowser => "opening_browser",
            SignInStep::WaitingForBrowser => "waiting_for_browser",
            SignInStep::WaitingForCode => "waiting_for_code",
            SignInStep::ExchangingCode => "exchanging_code",
            SignInStep::WaitingForDevice => "waiting_for_device",
            SignInStep::GettingCredential => "getting_credential",
        };
        Self {
            name: org.name.to_string(),
            hub: org.hub_address.to_string(),
            hub_state: match org.hub {
                HubState::Connected => "connected",
                HubState::Connecting => "connecting",
                HubState::Away { .. } => "away",
            }
            .into(),
            device: org.device.clone(),
            account: account.into(),
            person,
            until,
            step: sign_in.map(|sign_in| step(sign_in.step).into()),
            sign_in_url: sign_in.and_then(|sign_in| sign_in.url.clone()),
        }
    }
}

impl Service {
    pub(crate) fn of(org: &OrgName, service: &ServiceView) -> Self {
        let (state, since, until) = match &service.state {
            ServiceState::Idle => ("idle", None, None),
            ServiceState::Connecting { .. } => ("connecting", None, None),
            ServiceState::Connected { since, until } => ("connected", Some(since.0), Some(until.0)),
            ServiceState::Disconnecting => ("disconnecting", None, None),
            ServiceState::Failed(_) => ("failed", None, None),
        };
        let step = match &service.state {
            ServiceState::Connecting { step } => Some(match step {
                ConnectStep::WaitingForSignIn => "waiting_for_sign_in",
                ConnectStep::WaitingForHub => "waiting_for_hub",
                ConnectStep::OpeningPort => "opening_port",
                ConnectStep::AskingOutlet => "asking_outlet",
                ConnectStep::WaitingForApproval => "waiting_for_approval",
            }),
            _ => None,
        };
        let reconnecting = service.reconnecting.as_ref();
        let problem = match &service.state {
            ServiceState::Failed(problem) => Some(Trouble::of(Some(org), problem)),
            _ => reconnecting.map(|reconnecting| Trouble::of(Some(org), &reconnecting.why)),
        };
        Self {
            org: org.to_string(),
            name: service.name.to_string(),
            title: service.title.clone(),
            kind: match service.kind {
                ServiceKind::Tcp => "tcp",
                ServiceKind::Postgres => "postgres",
            }
            .into(),
            state: state.into(),
            step: step.map(str::to_owned),
            since,
            until,
            port: service.port,
            url: service.connection.url(),
            programs: service.portals,
            reconnecting: reconnecting.map_or(0, |reconnecting| reconnecting.portals),
            sent: service.traffic.sent,
            received: service.traffic.received,
            problem,
            grant: service.grant.as_ref().map(Held::of),
            forms: BTreeMap::new(),
        }
    }

    /// With the connection in every form.
    pub(crate) fn with_forms(org: &OrgName, service: &ServiceView) -> Self {
        let named = |(form, text): (Form, String)| (form.name().to_owned(), text);
        Self {
            forms: service.connection.all().map(named).collect(),
            ..Self::of(org, service)
        }
    }
}

impl Held {
    fn of(grant: &GrantHere) -> Self {
        Self {
            id: grant.request.clone(),
            seconds: grant.seconds,
            read_only: grant.read_only,
            until: grant.until.unwrap_or(grant.claim_by).0,
            in_use: grant.until.is_some(),
            warning: grant.warning,
            follower: match grant.follower {
                Follower::Nothing => "nothing",
                Follower::Asked => "asked",
                Follower::Granted => "granted",
            }
            .into(),
        }
    }
}

impl Trouble {
    pub(crate) fn of(org: Option<&OrgName>, problem: &Problem) -> Self {
        let words = words(problem);
        let severity = match problem.code.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let actor = match problem.code.actor() {
            Actor::Peer => "peer",
            Actor::Network => "network",
            Actor::ThisComputer => "this-computer",
            Actor::Policy => "policy",
            Actor::Us => "us",
        };
        Self {
            code: problem.code.to_string(),
            severity: severity.into(),
            actor: actor.into(),
            org: org.map(ToString::to_string),
            service: problem.facts.service.as_ref().map(ToString::to_string),
            title: words.title.to_string(),
            cause: words.cause.to_string(),
            next: words.next.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_agent::{Code, UnixTime};

    use super::*;
    use crate::user::samples::two_orgs;

    #[test]
    fn what_is_wrong_with_the_computer_explains_what_is_wrong_with_an_org_as_in_the_window() {
        let now = UnixTime(1_000_000);
        let long = |code| Problem::new(code).since(UnixTime(0));
        let mut snapshot = two_orgs();
        snapshot.problems = vec![long(Code::ClockOff)];
        snapshot.orgs[0].problems = vec![long(Code::HubUnreachable), long(Code::HubNotTrusted)];
        snapshot.orgs[1].problems = vec![
            long(Code::KillSwitch),
            Problem::new(Code::HubBusy).since(now),
        ];
        let told = |snapshot: &Snapshot| {
            let problems = Status::at(snapshot, now).problems.into_iter();
            let one = |trouble: Trouble| (trouble.org.unwrap_or_default(), trouble.code);
            problems.map(one).collect::<Vec<_>>()
        };

        let with_the_clock = told(&snapshot);
        let here = std::mem::take(&mut snapshot.problems);
        let without = told(&snapshot);

        let of = |org: &str, code: Code| (org.to_owned(), code.to_string());
        assert_eq!(
            with_the_clock,
            [of("", here[0].code), of("beta", Code::KillSwitch)]
        );
        assert_eq!(
            without,
            [
                of("acme", Code::HubUnreachable),
                of("acme", Code::HubNotTrusted),
                of("beta", Code::KillSwitch)
            ]
        );
    }
}
