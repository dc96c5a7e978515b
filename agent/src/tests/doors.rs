//! Connect, carry, disconnect.
//! A program here is a plain socket; the inlet cannot tell it from psql.

use std::io::ErrorKind;
use std::sync::Arc;

use tidegate_proto::api::event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::circuit::SPARES;
use crate::testing::hub::Outlet;
use crate::testing::{World, acme, failed, state, until};
use crate::{Action, Code, Problem, ServiceState};

#[tokio::test]
async fn connected_means_that_the_outlet_answered_a_probe() {
    let world = World::new().await;

    let agent = world.connected().await;

    assert_eq!(world.hub.count().probes, 1);
    assert_eq!(world.hub.count().portals, 0);
    agent.shutdown().await;
}

#[tokio::test]
async fn bytes_pass_and_are_counted_and_a_half_close_gets_its_answer() {
    let world = World::new().await;
    let agent = world.connected().await;

    let mut program = world.call().await.unwrap();
    program.write_all(b"hello").await.unwrap();
    program.shutdown().await.unwrap();
    let mut back = Vec::new();
    program.read_to_end(&mut back).await.unwrap();

    assert_eq!(back, b"hello");
    let snapshot = until(&agent, |snapshot| {
        acme(snapshot).services[0].traffic.received == 5
    })
    .await;
    assert_eq!(acme(&snapshot).services[0].traffic.sent, 5);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_spare_carries_the_next_portal_without_asking_the_relay() {
    let world = World::new().await;
    let agent = world.connected().await;
    world.hub.inner.outlet.send_replace(Outlet::Absent);

    let mut portal = agent.open(&world.echo()).await.unwrap();
    portal.write_all(b"x").await.unwrap();
    portal.flush().await.unwrap();
    portal.read_exact(&mut [0; 1]).await.unwrap();

    agent.shutdown().await;
}

#[tokio::test]
async fn what_a_program_opens_by_itself_needs_no_port() {
    let world = World::new().await;
    let agent = world.agent().await;

    let mut portal = agent.open(&world.echo()).await.unwrap();
    portal.write_all(b"x").await.unwrap();
    portal.flush().await.unwrap();
    portal.read_exact(&mut [0; 1]).await.unwrap();

    assert!(crate::inlet::bind::is_free(world.port));
    let snapshot = Arc::clone(&agent.snapshot().borrow());
    assert_eq!(*state(&snapshot), ServiceState::Idle);
    agent.shutdown().await;
}

#[test]
fn the_example_that_opens_no_port_stays_short() {
    let example = include_str!("../../examples/no_port.rs");

    assert!(example.lines().count() <= 30);
}

/// A program that says something, hears it, and leaves in good order.
async fn visit(world: &World) {
    let mut program = world.call().await.unwrap();
    program.write_all(b"hello").await.unwrap();
    program.shutdown().await.unwrap();
    let mut back = Vec::new();
    program.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"hello");
}

#[tokio::test]
async fn programs_that_come_one_after_the_other_share_a_circuit() {
    let world = World::new().await;
    let agent = world.connected().await;
    visit(&world).await;
    // The spare that was taken is replaced once, because nobody knew that it would come back.
    world.hub.counts(|count| count.circuits == SPARES + 1).await;
    let asked = world.hub.count().asked;

    for _ in 0..20 {
        visit(&world).await;
    }

    let count = world.hub.count();
    assert_eq!((count.asked, count.most_on_one_circuit), (asked, 21));
    let snapshot = until(&agent, |snapshot| {
        acme(snapshot).services[0].traffic.received == 21 * 5
    })
    .await;
    assert_eq!(acme(&snapshot).services[0].portals, 0);
    agent.shutdown().await;
}

#[tokio::test]
async fn of_many_circuits_that_come_back_only_a_few_are_kept() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut programs = Vec::new();
    for _ in 0..12 {
        programs.push(world.call().await.unwrap());
    }
    world.hub.counts(|count| count.portals == 12).await;

    for mut program in programs {
        program.shutdown().await.unwrap();
        program.read_to_end(&mut Vec::new()).await.unwrap();
    }

    world.hub.counts(|count| count.circuits == 8).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn a_program_that_breaks_off_costs_its_circuit() {
    let world = World::new().await;
    let agent = world.connected().await;
    let program = world.call().await.unwrap();
    world
        .hub
        .counts(|count| count.portals == 1 && count.circuits == SPARES + 1)
        .await;

    tidegate_link::abort(program);

    world.hub.counts(|count| count.circuits == SPARES).await;
    visit(&world).await;
    assert_eq!(world.hub.count().most_on_one_circuit, 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_circuit_from_before_a_renewal_is_not_kept() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world
        .hub
        .counts(|count| count.portals == 1 && count.circuits == SPARES + 1)
        .await;
    world.hub.say(event::CHANGED, String::new());
    world.hub.counts(|count| count.reauths == 1).await;

    program.shutdown().await.unwrap();
    program.read_to_end(&mut Vec::new()).await.unwrap();

    world
        .hub
        .counts(|count| count.portals == 0 && count.circuits == SPARES)
        .await;
    visit(&world).await;
    assert_eq!(world.hub.count().most_on_one_circuit, 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn disconnect_closes_the_port_and_ends_who_is_inside() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    agent
        .act(Action::Disconnect {
            service: world.echo(),
        })
        .await
        .unwrap();

    let gone = program.read(&mut [0; 1]).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::ConnectionReset);
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    assert_eq!(
        world.call().await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    world
        .hub
        .counts(|count| count.portals == 0 && count.circuits == 0)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn what_the_outlet_refuses_is_never_connected() {
    let world = World::new().await;
    world
        .hub
        .inner
        .outlet
        .send_replace(Outlet::Refuses(Code::TargetClosed));
    let agent = world.agent().await;

    agent
        .act(Action::Connect {
            service: world.echo(),
        })
        .await
        .unwrap();

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::TargetClosed);
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn an_unknown_service_is_answered_like_a_forbidden_one() {
    let world = World::new().await;
    world
        .hub
        .inner
        .outlet
        .send_replace(Outlet::Refuses(Code::NotAvailable));
    let agent = world.agent().await;
    agent
        .act(Action::Connect {
            service: world.echo(),
        })
        .await
        .unwrap();
    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    let unknown = "acme/nonesuch".parse().unwrap();

    let refused = agent
        .act(Action::Connect { service: unknown })
        .await
        .unwrap_err();

    let forbidden = failed(&snapshot).unwrap();
    assert_eq!(
        Problem {
            facts: forbidden.facts.clone(),
            ..refused.clone()
        },
        *forbidden
    );
    assert_eq!(refused.facts.service.unwrap().as_str(), "nonesuch");
    agent.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_connected() {
    let world = World::new().await;
    let _squatter = std::net::TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let agent = world.agent().await;

    agent
        .act(Action::Connect {
            service: world.echo(),
        })
        .await
        .unwrap();

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    let problem = failed(&snapshot).unwrap();
    assert_eq!(
        (problem.code, problem.facts.pid),
        (Code::PortTaken, Some(std::process::id()))
    );
    assert_eq!(world.hub.count().probes, 0);
    agent.shutdown().await;
}

#[tokio::test]
async fn connect_during_disconnect_opens_again() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent
        .act(Action::Disconnect {
            service: world.echo(),
        })
        .await
        .unwrap();
    agent
        .act(Action::Connect {
            service: world.echo(),
        })
        .await
        .unwrap();

    world.hub.counts(|count| count.probes == 2).await;
    until(&agent, |snapshot| state(snapshot).is_connected()).await;
    world.call().await.unwrap();
    agent.shutdown().await;
}
