//! Ports of one laptop with two orgs: who gets which, what a person may change, and who is in the way.
//! The machine's own ports are used: what is squatted on here is really taken.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::testing::{World, acme, failed, free_port, state, until};
use crate::{Action, Agent, Code, ServiceState};

fn connect(world: &World) -> Action {
    Action::Connect {
        service: world.echo(),
    }
}

fn set_port(world: &World, port: Option<u16>) -> Action {
    Action::SetPort {
        service: world.echo(),
        port,
    }
}

async fn echoes_at(port: u16) {
    let mut program = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
}

#[tokio::test]
async fn two_orgs_that_want_the_same_port_both_get_one_and_keep_it() {
    let acme = World::new().await;
    let beta = acme.beside("beta").await;
    beta.hub.inner.services.lock().unwrap().clear();
    beta.hub.lists(&beta.service, acme.port);
    let mut ports = Vec::new();
    for _start in 0..2 {
        acme.signed_in_before();
        beta.signed_in_before();
        let agent = Agent::start(acme.config()).await.unwrap();
        for world in [&acme, &beta] {
            agent.signed_in(&world.org()).await.unwrap();
            agent.act(connect(world)).await.unwrap();
        }

        let snapshot = until(&agent, |snapshot| {
            snapshot.services().count() == 2
                && snapshot
                    .services()
                    .all(|(_, service)| service.state.is_connected())
        })
        .await;
        let now: Vec<u16> = snapshot
            .services()
            .map(|(_, service)| service.port)
            .collect();
        for port in &now {
            echoes_at(*port).await;
        }
        ports.push(now);
        agent.shutdown().await;
    }

    assert_eq!(ports[0], ports[1]);
    assert!(ports[0].contains(&acme.port) && ports[0][0] != ports[0][1]);
}

#[tokio::test]
async fn whoever_is_in_the_way_is_named_and_another_port_is_one_click() {
    let world = World::new().await;
    let _squatter = TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let agent = world.agent().await;
    agent.act(connect(&world)).await.unwrap();
    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(
        failed(&snapshot).unwrap().facts.pid,
        Some(std::process::id())
    );
    let other = acme(&snapshot).services[0].other_port.unwrap();

    agent.act(set_port(&world, Some(other))).await.unwrap();

    let snapshot = until(&agent, |snapshot| state(snapshot).is_connected()).await;
    assert_eq!(acme(&snapshot).services[0].port, other);
    echoes_at(other).await;
    agent.shutdown().await;
    let file = std::fs::read_to_string(world.config().settings_file).unwrap();
    assert!(file.contains(&format!("\"acme/echo\" = {other}")), "{file}");
}

#[tokio::test]
async fn a_port_that_became_free_is_had_by_trying_again() {
    let world = World::new().await;
    let squatter = TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let agent = world.agent().await;
    agent.act(connect(&world)).await.unwrap();
    until(&agent, |snapshot| failed(snapshot).is_some()).await;

    drop(squatter);
    agent.act(connect(&world)).await.unwrap();

    let snapshot = until(&agent, |snapshot| state(snapshot).is_connected()).await;
    assert_eq!(acme(&snapshot).services[0].other_port, None);
    agent.shutdown().await;
}

#[tokio::test]
async fn an_open_service_moves_to_its_new_port_and_back() {
    let world = World::new().await;
    let agent = world.connected().await;
    let new = free_port();

    for (wish, port) in [(Some(new), new), (None, world.port)] {
        agent.act(set_port(&world, wish)).await.unwrap();

        until(&agent, |snapshot| {
            state(snapshot).is_connected() && acme(snapshot).services[0].port == port
        })
        .await;
        echoes_at(port).await;
    }

    assert!(TcpStream::connect(("127.0.0.1", new)).await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn an_idle_service_takes_a_new_port_without_being_opened() {
    let world = World::new().await;
    let agent = world.agent().await;

    agent
        .act(set_port(&world, Some(free_port())))
        .await
        .unwrap();
    let low = agent.act(set_port(&world, Some(80))).await.unwrap_err();
    let unknown = Action::SetPort {
        service: "acme/nonesuch".parse().unwrap(),
        port: None,
    };
    let unknown = agent.act(unknown).await.unwrap_err();

    assert_eq!(*state(&agent.snapshot().borrow()), ServiceState::Idle);
    assert_eq!(
        (low.code, unknown.code),
        (Code::PortNotFree, Code::NotAvailable)
    );
    agent.shutdown().await;
}

#[tokio::test]
async fn a_socket_stands_beside_the_port_while_the_service_is_open() {
    let world = World::new().await;
    world.signed_in_before();
    let mut config = world.config();
    let wish = crate::SocketWish::Own(true);
    config.sockets.insert("echo".parse().unwrap(), wish);
    let agent = Agent::start(config).await.unwrap();
    agent.signed_in(&world.org()).await.unwrap();
    agent.act(connect(&world)).await.unwrap();
    let snapshot = until(&agent, |snapshot| {
        !acme(snapshot).services.is_empty() && state(snapshot).is_connected()
    })
    .await;
    let path = acme(&snapshot).services[0].socket.clone().unwrap();

    let mut program = tokio::net::UnixStream::connect(&path).await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;
    let service = world.echo();
    agent.act(Action::Disconnect { service }).await.unwrap();

    assert!(matches!(program.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    assert!(!std::path::Path::new(&path).exists());
    agent.shutdown().await;
}
