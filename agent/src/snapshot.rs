//! What the agent says about itself: one plain value, the whole truth each time it changes.
//! A newcomer would keep a second copy of some field "for speed": don't. Window, tray and CLI are functions of this value, and it never holds a secret.

mod connection;

pub use connection::{ConnectionStrings, Form};

use crate::{HubAddress, LikelyCause, OrgName, Problem, ServiceKind, ServiceName, UnixTime};
use serde::{Deserialize, Serialize};

/// The state of the agent at one moment. Compare with `==` before acting on a new one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The org this device has joined, `None` before the first join.
    pub org: Option<OrgView>,
    pub account: AccountView,
    pub hub: HubState,
    /// Services this person may see, sorted by name.
    pub services: Vec<ServiceView>,
    /// What went wrong and was not yet dismissed or repaired, oldest first, one per code.
    pub problems: Vec<Problem>,
    pub keys: KeyHome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgView {
    pub name: OrgName,
    pub hub: HubAddress,
}

/// The account line. Times are wall clock seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountView {
    /// No org: paste a join link.
    NotJoined,
    /// A join link is being used: the hub is asked, the device is enrolled.
    Joining,
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
    pub connection: ConnectionStrings,
    pub traffic: Traffic,
    /// Programs connected through the inlet right now.
    pub portals: u32,
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
            org: None,
            account: AccountView::NotJoined,
            hub: HubState::Connecting,
            services: Vec::new(),
            problems: Vec::new(),
            keys,
        }
    }

    pub fn service(&self, name: &ServiceName) -> Option<&ServiceView> {
        self.services.iter().find(|service| &service.name == name)
    }
}

impl ServiceState {
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
