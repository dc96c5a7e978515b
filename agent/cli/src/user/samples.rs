//! Snapshots that the tests of several verbs look at.
//! A newcomer would make one in each test: these are the states that every verb must have an answer to.
#![allow(clippy::unwrap_used)]
use tidegate_agent::{
    AccountView, Code, ConnectionStrings, HubState, KeyHome, OrgSnapshot, Problem, ServiceKind,
    ServiceState, ServiceView, Snapshot, Traffic, UnixTime,
};

pub(crate) fn service(name: &str, state: ServiceState) -> ServiceView {
    ServiceView {
        name: name.parse().unwrap(),
        title: String::new(),
        kind: ServiceKind::Postgres,
        state,
        port: 15432,
        other_port: None,
        socket: None,
        askable: None,
        grant: None,
        connection: ConnectionStrings::new(
            &name.parse().unwrap(),
            ServiceKind::Postgres,
            15432,
            Some("nyc"),
        ),
        traffic: Traffic::default(),
        portals: 2,
        reconnecting: None,
    }
}

pub(crate) fn org(name: &str, services: Vec<ServiceView>) -> OrgSnapshot {
    OrgSnapshot {
        name: name.parse().unwrap(),
        hub_address: "hub.example:443".parse().unwrap(),
        device: "laptop".into(),
        link: String::new(),
        enrolling: None,
        devices: vec![],
        device_requests: vec![],
        requests: Vec::new(),
        printed: Vec::new(),
        signing_out: false,
        account: AccountView::SignedIn {
            name: "ana@example.org".into(),
            until: UnixTime(28_740),
            again: None,
        },
        hub: HubState::Connected,
        services,
        problems: vec![],
    }
}

/// `acme` with `reports` and `warehouse`, `beta` with `warehouse`, and a wrong clock.
pub(crate) fn two_orgs() -> Snapshot {
    let connected = ServiceState::Connected {
        since: UnixTime(0),
        until: UnixTime(240),
    };
    let failed = ServiceState::Failed(Problem::new(Code::OutletAbsent));
    Snapshot {
        orgs: vec![
            org(
                "acme",
                vec![service("reports", failed), service("warehouse", connected)],
            ),
            org("beta", vec![service("warehouse", ServiceState::Idle)]),
        ],
        problems: vec![Problem::new(Code::ClockOff)],
        ..Snapshot::empty(KeyHome::Keyring)
    }
}
