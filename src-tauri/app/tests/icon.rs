//! The tray picture by its value.
#![allow(clippy::unwrap_used)]

mod desk;

use desk::{
    MORNING, but, connected, connecting, not_joined, service, signed_out, signing_in, warehouse,
    with_services,
};
use tidegate_agent::{Reconnecting, ServiceState, SignInStep, Snapshot};
use tidegate_app::icon::icon_state;
use tidegate_app::scene::{Notes, Scene};
use tidegate_app::{IconState, Panel};
use tidegate_proto::problem::{Code, Problem};

fn of(snapshot: &Snapshot) -> IconState {
    icon_state(&Scene {
        now: MORNING,
        snapshot: Some(snapshot),
        notes: &Notes::default(),
    })
}

#[test]
fn shows_the_state_at_a_glance() {
    assert_eq!(of(&not_joined()), IconState::Off);
    assert_eq!(of(&signed_out()), IconState::Off);
    assert_eq!(
        of(&signing_in(SignInStep::WaitingForBrowser)),
        IconState::Connecting
    );
    assert_eq!(of(&warehouse(ServiceState::Idle)), IconState::Off);
    assert_eq!(of(&warehouse(connecting())), IconState::Connecting);
    assert_eq!(of(&warehouse(connected())), IconState::Connected);
}

#[test]
fn a_problem_is_not_hidden_by_what_still_works() {
    let broken = but(warehouse(connected()), |org| {
        org.problems = vec![Problem::new(Code::PortTaken)];
    });
    let away = but(warehouse(connected()), |org| {
        org.problems = vec![Problem::new(Code::HubUnreachable).since(MORNING.minus(60))];
    });
    let failed = ServiceState::Failed(Problem::new(Code::TargetClosed));

    assert_eq!(of(&broken), IconState::Problem);
    assert_eq!(of(&away), IconState::Problem);
    assert_eq!(of(&warehouse(failed)), IconState::Problem);
}

#[test]
fn a_mere_warning_does_not_cry() {
    let warned = Snapshot {
        problems: vec![Problem::new(Code::KeyringAbsent)],
        ..warehouse(connected())
    };

    assert_eq!(of(&warned), IconState::Connected);
}

#[test]
fn who_waits_for_the_way_does_not_look_connected() {
    let mut waits = service("warehouse", 15432, connected());
    waits.reconnecting = Some(Reconnecting {
        portals: 1,
        why: Problem::new(Code::CircuitLost),
    });

    assert_eq!(of(&with_services(vec![waits])), IconState::Connecting);
}

#[test]
fn guesses_the_panel_from_what_the_desktop_says() {
    assert_eq!(Panel::guess("ubuntu:GNOME", Some(false)), Panel::Dark);
    assert_eq!(Panel::guess("KDE", Some(false)), Panel::Light);
    assert_eq!(Panel::guess("KDE", Some(true)), Panel::Dark);
    assert_eq!(Panel::guess("", None), Panel::Dark);
}
