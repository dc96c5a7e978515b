//! The laptop's part of Tidegate as a library: sign-in, credential, inlets, `Agent::open(service)`.
//! A newcomer would look for the state in many places: one task per org owns it (`run/`), `Snapshot` out and `Action` in; everything else reports to it.

mod action;
mod agent;
mod backoff;
mod circuit;
mod clock;
mod config;
pub mod control;
mod devices;
mod disk;
pub mod doctor;
mod hub;
mod inlet;
mod join;
mod keys;
mod lock;
mod log_file;
mod network;
pub mod pg_service;
mod places;
mod platform;
mod ports;
mod problems;
mod requests;
mod run;
mod service_ref;
mod settings;
mod signin;
mod snapshot;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

mod wake;

pub use action::{Action, Decision, Secret};
pub use agent::Agent;
pub use clock::Clock;
pub use config::{AgentConfig, ConfigError, KeyStoreKind};
pub use disk::{NameOf, names_on_disk, of_service};
pub use log_file::LogFile;
pub use places::Places;
pub use service_ref::ServiceRef;
pub use settings::{ServiceKey, SocketWish};
pub use signin::browser::{BrowserError, NoBrowser, OpenBrowser, SystemBrowser};
pub use snapshot::{
    AccountView, Askable, ConnectStep, ConnectionStrings, DeviceRequest, DeviceRequestState,
    DeviceView, Enrolling, Follower, Form, GrantHere, HubState, KeyHome, OrgSnapshot, Reconnecting,
    RequestAt, RequestShown, ServiceState, ServiceView, SignIn, SignInCode, SignInStep, Snapshot,
    Traffic,
};
pub use tidegate_link::Portal;
pub use tidegate_proto::likely::LikelyCause;
pub use tidegate_proto::names::{HubAddress, OrgName, ServiceName};
pub use tidegate_proto::problem::{About, Code, Problem};
pub use tidegate_proto::statement::ServiceKind;
pub use tidegate_proto::time::UnixTime;
pub use tidegate_proto::words::{Words, likely, words};
