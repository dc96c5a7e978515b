//! Portals whose circuit dies: programs notice nothing, and what ends meanwhile does not stay behind at the outlet.
//! Two outlets serve here, each in turn; a portal lies at the one that opened it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tidegate_link::PortalError;
use tidegate_proto::grant::Grant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::circuit::Ask;
use crate::testing::hub::Outlet;
use crate::testing::{World, acme, state, until};
use crate::{Action, Agent, Code, ServiceState, Snapshot};

const PATIENCE: Duration = Duration::from_secs(20);

/// A program whose portal is kept.
async fn kept(world: &World) -> (Agent, TcpStream) {
    world.hub.inner.berths.keep();
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    talk(&mut program).await;
    (agent, program)
}

async fn talk(program: &mut TcpStream) {
    let talking = async {
        program.write_all(b"hello").await.unwrap();
        let mut back = [0; 5];
        program.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"hello");
    };
    timeout(PATIENCE, talking).await.unwrap();
}

/// The same, and nothing carries the portal: the relay knows no way to its outlet.
async fn adrift(world: &World) -> (Agent, TcpStream) {
    let (agent, program) = kept(world).await;
    set_adrift(world).await;
    (agent, program)
}

async fn set_adrift(world: &World) {
    world.hub.inner.outlet.send_replace(Outlet::Absent);
    let asked = world.hub.count().asked;
    world.hub.inner.berths.lose();
    // It has been tried, in vain.
    let tried = world.hub.counts(|count| count.asked > asked);
    timeout(PATIENCE, tried).await.unwrap();
}

/// How the portal ended at its outlet, once the way there is free again.
async fn end(world: &World) -> Option<PortalError> {
    let mut ended = world.hub.inner.berths.ended.subscribe();
    let ended = timeout(PATIENCE, ended.wait_for(|ended| !ended.is_empty())).await;
    ended.expect("the outlet was never told").unwrap()[0]
}

fn reset(code: Code) -> Option<PortalError> {
    Some(PortalError::Reset(code.number()))
}

#[tokio::test]
async fn a_program_notices_nothing_and_only_the_outlet_that_has_its_portal_is_asked() {
    let world = World::new().await;
    let (agent, mut program) = kept(&world).await;

    for _ in 0..6 {
        world.hub.inner.berths.lose();
        talk(&mut program).await;
    }

    let at = world.hub.inner.berths.at.lock().unwrap().clone();
    assert_eq!(at.len(), 7, "{at:?}");
    assert!(at.iter().all(|outlet| *outlet == at[0]), "{at:?}");
    drop(program);
    assert_eq!(end(&world).await, reset_by_leaving());
    agent.shutdown().await;
}

#[tokio::test]
async fn somebody_who_harms_every_circuit_that_is_resumed_is_met_at_the_pace_of_a_backoff() {
    let world = World::new().await;
    let (agent, mut program) = kept(&world).await;
    let berths = &world.hub.inner.berths;
    let mut resumed = berths.resumed.subscribe();
    berths.harmed.store(true, Ordering::SeqCst);
    let begun = Instant::now();

    berths.lose();
    let often = resumed.wait_for(|resumed| *resumed >= 5);
    timeout(PATIENCE, often).await.unwrap().unwrap();

    // The first at once, then after 0.3, 0.6, 1.2 and 2 seconds, less the quarter of the jitter at most.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
    berths.harmed.store(false, Ordering::SeqCst);
    talk(&mut program).await;
    drop(program);
    assert_eq!(end(&world).await, reset_by_leaving());
    agent.shutdown().await;
}

fn reset_by_leaving() -> Option<PortalError> {
    Some(PortalError::Withdrawn(0))
}

#[tokio::test]
async fn whoever_looks_sees_that_a_program_waits_and_why() {
    let world = World::new().await;
    let (agent, mut program) = adrift(&world).await;

    let waits = |why: Code| {
        move |snapshot: &Snapshot| {
            let reconnecting = acme(snapshot).services[0].reconnecting.as_ref();
            reconnecting.is_some_and(|now| now.portals == 1 && now.why.code == why)
        }
    };
    let shown = until(&agent, waits(Code::OutletAbsent)).await;
    assert!(
        state(&shown).is_connected(),
        "the port is open all the time"
    );

    world.hub.inner.outlet.send_replace(Outlet::Echoes);
    talk(&mut program).await;
    until(&agent, |now| acme(now).services[0].reconnecting.is_none()).await;
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn disconnect_reaches_a_portal_that_nothing_carried() {
    let world = World::new().await;
    let (agent, program) = adrift(&world).await;

    let service = world.echo();
    agent.act(Action::Disconnect { service }).await.unwrap();
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    world.hub.inner.outlet.send_replace(Outlet::Echoes);

    assert_eq!(end(&world).await, reset(Code::DisconnectedByYou));
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_program_that_breaks_off_meanwhile_is_not_waited_for() {
    let world = World::new().await;
    let (agent, program) = adrift(&world).await;

    tidegate_link::abort(program);
    world.hub.inner.outlet.send_replace(Outlet::Echoes);

    assert_eq!(end(&world).await, Some(PortalError::Reset(0)));
    agent.shutdown().await;
}

#[tokio::test]
async fn signing_out_reaches_a_portal_that_nothing_carried() {
    let world = World::new().await;
    let (agent, program) = adrift(&world).await;

    world.hub.inner.outlet.send_replace(Outlet::Echoes);
    agent
        .act(Action::SignOut { org: world.org() })
        .await
        .unwrap();

    assert_eq!(end(&world).await, reset(Code::SignedOut));
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn signing_out_reaches_a_portal_that_stands_on_an_approval() {
    let world = World::new().await;
    world.hub.inner.berths.keep();
    world.hub.inner.berths.want_grants();
    let agent = world.connected().await;
    let grant = Grant {
        request: "a.b.c".into(),
        seal: "d.e.f".into(),
        approvals: vec![],
    };
    let granted = Ask::Granted(Arc::new(grant));
    let circuits = agent.circuits(&world.org());
    circuits.asks.send_modify(|asks| {
        asks.settle([(world.service.clone(), granted)].into());
    });
    let mut program = world.call().await.unwrap();
    talk(&mut program).await;
    set_adrift(&world).await;

    world.hub.inner.outlet.send_replace(Outlet::Echoes);
    agent
        .act(Action::SignOut { org: world.org() })
        .await
        .unwrap();

    assert_eq!(end(&world).await, reset(Code::SignedOut));
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn another_outlet_is_not_asked_all_the_time_for_what_it_has_not() {
    let world = World::new().await;
    let (agent, mut program) = kept(&world).await;
    let berths = &world.hub.inner.berths;
    let at = berths.at.lock().unwrap()[0];
    *berths.away.lock().unwrap() = Some(at);
    berths.met.lock().unwrap().clear();

    berths.lose();
    tokio::time::sleep(Duration::from_secs(4)).await;

    let met = berths.met.lock().unwrap().clone();
    assert!((2..=6).contains(&met.len()), "{met:?}");
    *berths.away.lock().unwrap() = None;
    talk(&mut program).await;
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn quitting_reaches_a_portal_that_nothing_carried() {
    let world = World::new().await;
    let (agent, program) = adrift(&world).await;

    world.hub.inner.outlet.send_replace(Outlet::Echoes);
    agent.shutdown().await;

    assert_eq!(end(&world).await, reset(Code::AppQuitting));
    drop(program);
}
