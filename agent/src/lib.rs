//! The laptop's part of Tidegate as a library: sign-in, credential, inlets, `Agent::open(service)`.
//! A newcomer would look for the state in many places: there is one task that owns it (`run/`), `Snapshot` out and `Action` in; everything else reports to it.

mod action;
mod inlet;
mod pending;
mod signin;
mod snapshot;

pub use action::{Action, Secret};
pub use pending::{Code, HubAddress, OrgName, Problem, ServiceKind, ServiceName, UnixTime};
pub use snapshot::{
    AccountView, ConnectStep, ConnectionStrings, HubState, KeyHome, OrgView, ServiceState,
    ServiceView, SignIn, SignInStep, Snapshot, Traffic,
};
