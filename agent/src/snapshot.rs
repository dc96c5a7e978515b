//! What the agent says about itself: one plain value, the whole truth each time it changes.
//! A newcomer would keep a second copy of some field "for speed": don't. Window, tray and CLI are functions of this value, and it never holds a secret.

mod access;
mod clean;
mod connection;
mod devices;

pub use access::{Askable, Follower, GrantHere, RequestAt, RequestShown};
pub use devices::{DeviceRequest, DeviceRequestState, DeviceView, Enrolling};

pub use connection::{ConnectionStrings, Form};

use crate::{
    HubAddress, LikelyCause, OrgName, Problem, ServiceKind, ServiceName, ServiceRef, UnixTime,
};
use serde::{Deserialize, Serialize};
use tidegate_proto::problem;

/// The state of the agent at one moment. Compare with `==` before acting on a new one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The orgs this device has joined, sorted by name.
    pub orgs: Vec<OrgSnapshot>,
    /// A join link is being used: a hub is asked, the device is enrolled.
    pub joining: bool,
    /// What is wrong with this computer and not yet dismissed or repaired (keyring, disk), and why a join failed; oldest first, one per code.
    pub problems: Vec<Problem>,
    pub keys: KeyHome,
}

/// One org at one moment. Orgs know nothing of each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrgSnapshot {
    pub name: OrgName,
    pub hub_address: HubAddress,
    /// What the org calls this device; empty until it is let in.
    pub device: String,
    /// For another computer of the same person: names the org and holds no right.
    pub link: String,
    /// How far this device is on its way in; `None` once it is in.
    pub enrolling: Option<Enrolling>,
    /// The person's devices, newest first; empty until the hub was asked.
    pub devices: Vec<DeviceView>,
    /// New devices of the person that ask to be let in by this one.
    pub device_requests: Vec<DeviceRequest>,
    pub account: AccountView,
    /// Signed out here, and the provider is still being told.
    pub signing_out: bool,
    pub hub: HubState,
    /// Requests for access: those that wait for this person first, then the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestShown>,
    /// Ids whose first letters a terminal has printed: such letters stand for one of these, open or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub printed: Vec<String>,
    /// Services this person may see, sorted by name.
    pub services: Vec<ServiceView>,
    /// What went wrong and was not yet dismissed or repaired, oldest first, one per code and service.
    pub problems: Vec<Problem>,
}

/// The account line. Times are wall clock seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountView {
    SignedOut {
        /// Who signed in here last, for the greeting and as `login_hint`.
        last: Option<String>,
    },
    SigningIn(SignIn),
    SignedIn {
        /// What to call the person: e-mail where the provider sends one, else the subject.
        name: String,
        /// When the session ends and the browser is needed again.
        until: UnixTime,
        /// The person signs in once more, beside the session that stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<SignIn>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    pub step: SignInStep,
    /// The provider's page, for copying when the browser did not open. It holds no secret: state and challenge are single use and bound to this process.
    pub url: Option<String>,
    pub since: UnixTime,
    /// Why the browser may not have come back, most likely first; empty for the first minute. `words::likely` says them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub likely: Vec<LikelyCause>,
    /// What to type on another computer, in a sign-in without a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<SignInCode>,
}

/// A sign-in with a code (RFC 8628). Its assurance is low: only services whose policies name that let it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInCode {
    pub code: String,
    /// Where to type it.
    pub address: String,
    /// The same with the code in it, for a QR code or a click.
    pub whole_address: Option<String>,
    pub until: UnixTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInStep {
    /// Which provider, and under which settings.
    AskingHub,
    /// How it works, and whether it is there.
    AskingProvider,
    OpeningBrowser,
    WaitingForBrowser,
    /// For somebody who types the code on another computer.
    WaitingForCode,
    ExchangingCode,
    /// Another device of the person has to let this one in, see `enrolling`.
    WaitingForDevice,
    GettingCredential,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubState {
    Connected,
    Connecting,
    Away { since: UnixTime },
}

/// One service as the person sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    pub name: ServiceName,
    /// Words for people from the catalogue; may be empty.
    pub title: String,
    pub kind: ServiceKind,
    pub state: ServiceState,
    /// The fixed port on 127.0.0.1 and ::1.
    pub port: u16,
    /// The Unix socket beside the port, if one is asked for; for `postgres` the folder, as in `psql -h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// A port that was free when this one could not be had: what "use another" means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_port: Option<u16>,
    /// Set where it has to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub askable: Option<Askable>,
    /// What was granted to this device for it; warnings before its end are in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantHere>,
    pub connection: ConnectionStrings,
    pub traffic: Traffic,
    /// Programs connected through the inlet right now.
    pub portals: u32,
    /// Set while the way to the outlet is made anew for some of them, which wait and do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnecting: Option<Reconnecting>,
}

/// Programs whose way to the outlet broke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconnecting {
    /// Of those connected through the inlet.
    pub portals: u32,
    /// What the last attempt came to; before there was one, that the way broke.
    pub why: Problem,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    Idle,
    Connecting {
        step: ConnectStep,
    },
    /// `until` is the outlet's deadline: it moves on by itself while the session is renewed.
    Connected {
        since: UnixTime,
        until: UnixTime,
    },
    Disconnecting,
    Failed(Problem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectStep {
    /// The click came before sign-in: the browser is open, see `account`.
    WaitingForSignIn,
    WaitingForHub,
    OpeningPort,
    /// An audited probe asks the outlet whether the service would answer.
    AskingOutlet,
    /// The port is open; somebody has to approve before anything goes through.
    WaitingForApproval,
}

/// Bytes through the inlet since Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// From the laptop to the service.
    pub sent: u64,
    /// From the service to the laptop.
    pub received: u64,
}

/// Where the keys of this device live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHome {
    Keyring,
    /// Gone when the agent ends: the next start needs a new join link.
    Memory,
    /// A 0600 file, asked for in the configuration.
    File,
}

impl Snapshot {
    /// What a freshly installed agent shows.
    pub fn empty(keys: KeyHome) -> Self {
        Self {
            orgs: Vec::new(),
            joining: false,
            problems: Vec::new(),
            keys,
        }
    }

    pub fn org(&self, name: &OrgName) -> Option<&OrgSnapshot> {
        self.orgs.iter().find(|org| &org.name == name)
    }

    pub fn service(&self, service: &ServiceRef) -> Option<&ServiceView> {
        self.org(&service.org)?.service(&service.service)
    }

    /// All services of all orgs, in order.
    pub fn services(&self) -> impl Iterator<Item = (&OrgSnapshot, &ServiceView)> {
        self.orgs
            .iter()
            .flat_map(|org| org.services.iter().map(move |service| (org, service)))
    }

    /// What to call a service: its name, with the org's in front where there are several.
    pub fn label(&self, org: &OrgSnapshot, service: &ServiceView) -> String {
        if self.orgs.len() > 1 {
            org.service_ref(service).to_string()
        } else {
            service.name.to_string()
        }
    }

    /// What may stand in the way of `org`: its own problems, then those of this computer.
    pub fn problems_of(&self, org: &OrgName) -> impl Iterator<Item = &Problem> {
        let own = self.org(org).map_or(&[][..], |org| &org.problems);
        own.iter().chain(&self.problems)
    }

    /// The problems worth a word now, this computer's first, each with the org it is about.
    pub fn shown(&self, now: UnixTime) -> Vec<(Option<&OrgName>, &Problem)> {
        let common = problem::shown(&self.problems, now).into_iter();
        let of_orgs = self.orgs.iter().flat_map(|org| {
            // What is wrong with the computer may explain what is wrong with the org.
            let all = problem::shown(self.problems.iter().chain(&org.problems), now);
            let is_its_own =
                |told: &&Problem| org.problems.iter().any(|own| std::ptr::eq(own, *told));
            let own = all.into_iter().filter(is_its_own);
            own.map(move |problem| (Some(&org.name), problem))
        });
        common
            .map(|problem| (None, problem))
            .chain(of_orgs)
            .collect()
    }

    /// Every problem there is: this computer's first.
    pub fn all_problems(&self) -> impl Iterator<Item = &Problem> {
        let of_orgs = self.orgs.iter().flat_map(|org| &org.problems);
        self.problems.iter().chain(of_orgs)
    }
}

impl OrgSnapshot {
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceView> {
        self.services.iter().find(|service| &service.name == name)
    }

    /// How to name one of its services to the agent.
    pub fn service_ref(&self, service: &ServiceView) -> ServiceRef {
        ServiceRef::new(&self.name, &service.name)
    }
}

impl ServiceState {
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
