//! The view by its value, where the menu does not say the same.
#![allow(clippy::unwrap_used)]

mod desk;

use desk::{
    MORNING, acme, but, connected, connecting, not_joined, service, signed_out, signing_in,
    warehouse, with_services,
};
use tidegate_agent::{HubState, KeyHome, SignInStep, Snapshot, Traffic};
use tidegate_app::View;
use tidegate_app::scene::{Notes, Scene};
use tidegate_app::view::{Account, Hub, Page, Progress, State, view};
use tidegate_proto::problem::{Code, Problem};

fn of(snapshot: &Snapshot) -> View {
    view(&Scene {
        now: MORNING,
        snapshot: Some(snapshot),
        notes: &Notes::default(),
    })
}

#[test]
fn without_an_org_there_is_only_a_way_in() {
    let view = of(&not_joined());

    assert_eq!((view.page, view.orgs), (Page::NotJoined, Vec::new()));
}

#[test]
fn signing_in_shows_how_far_it_got() {
    let Account::SigningIn { steps, .. } =
        &of(&signing_in(SignInStep::ExchangingCode)).orgs[0].account
    else {
        panic!("not signing in");
    };

    let progress: Vec<Progress> = steps.iter().map(|step| step.progress).collect();
    assert_eq!(
        progress,
        [
            Progress::Done,
            Progress::Done,
            Progress::Done,
            Progress::Done,
            Progress::Now,
            Progress::Later
        ]
    );
}

#[test]
fn an_open_service_says_how_it_is_used() {
    let used = |portals, sent, received| {
        let mut warehouse_used = service("warehouse", 15432, connected());
        warehouse_used.portals = portals;
        warehouse_used.traffic = Traffic { sent, received };
        let snapshot = with_services(vec![warehouse_used]);
        match &of(&snapshot).orgs[0].services[0].state {
            State::Connected { usage, .. } => usage.clone(),
            _ => panic!("not connected"),
        }
    };

    assert_eq!(used(0, 0, 0), "not in use now");
    assert_eq!(
        used(1, 999, 1_000),
        "1 connection; 999 B sent, 1.0 kB received so far"
    );
    assert_eq!(
        used(3, 2_149_999, 1_300_000_000),
        "3 connections; 2.1 MB sent, 1.3 GB received so far"
    );
}

#[test]
fn the_hub_being_away_does_not_hide_the_services() {
    let away = but(warehouse(connecting()), |org| {
        org.hub = HubState::Away {
            since: MORNING.minus(60),
        };
    });

    let view = of(&away);

    assert_eq!(
        view.orgs[0].hub,
        Hub::Away {
            address: "hub.acme.example:443".into(),
            since: MORNING.minus(60)
        }
    );
    assert_eq!(
        view.orgs[0].services[0].state,
        State::Connecting {
            step: "asking the outlet"
        }
    );
}

#[test]
fn keys_in_memory_are_mentioned_once() {
    let in_memory = Snapshot {
        keys: KeyHome::Memory,
        ..signed_out()
    };
    let and_a_problem = Snapshot {
        problems: vec![Problem::new(Code::KeyringAbsent)],
        ..in_memory.clone()
    };

    assert!(of(&in_memory).keys_note.is_some());
    assert!(of(&and_a_problem).keys_note.is_none());
    assert!(of(&signed_out()).keys_note.is_none());
}

#[test]
fn of_two_problems_of_one_kind_the_one_that_was_read_goes() {
    let of_service = |name: &str| Problem::new(Code::PortTaken).service(&name.parse().unwrap());
    let (warehouse, reports) = (of_service("warehouse"), of_service("reports"));
    let mut notes = Notes {
        refused: vec![
            (Some(acme()), warehouse.clone()),
            (Some(acme()), reports.clone()),
            (None, warehouse.clone()),
        ],
        desktop: vec![warehouse.clone()],
        ..Notes::default()
    };

    notes.dismiss(Some(&acme()), &(&warehouse).into());

    assert_eq!(
        notes.refused,
        [(Some(acme()), reports), (None, warehouse.clone())]
    );
    assert_eq!(notes.desktop, [warehouse]);
}
