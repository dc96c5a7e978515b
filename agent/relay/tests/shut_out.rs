//! What a revocation ends at a relay, and what it leaves alone.
//! Passes of those who are shut out are good for minutes more: only the authority's word stands against them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Stage, WAREHOUSE};
use std::time::Duration;
use tidegate_link::{LinkError, LinkState, RelayLink, circuit};
use tidegate_proto::{
    entropy::SystemEntropy, identity::NoiseSecret, statement::PassRole, wire::link::RelayRefusal,
};
use tidegate_relay::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(10);
const NO_PASS: LinkError = LinkError::Refused(RelayRefusal::Pass);

async fn is_closed(tcp: &mut TcpStream) -> bool {
    let read = timeout(SOON, tcp.read(&mut [0; 1])).await;
    matches!(read.expect("the relay closes it"), Ok(0) | Err(_))
}

/// A circuit with bytes on it.
async fn joined(stage: &Stage, agent: &RelayLink, outlet: &RelayLink) -> (TcpStream, TcpStream) {
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    let mut near = circuit(&stage.address, token, SOON).await.unwrap();
    let mut far = circuit(&stage.address, token, SOON).await.unwrap();
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    (near, far)
}

#[tokio::test]
async fn the_links_of_a_holder_who_is_shut_out_end_and_no_others() {
    let stage = Stage::start(Limits::default()).await;
    let (first, second) = (stage.agent("ana").await, stage.agent("ana").await);
    let (ben, outlet) = (stage.agent("ben").await, stage.outlet("db").await);

    stage.shut_out("ana");

    assert_eq!(first.closed().await, LinkError::Lost);
    assert_eq!(second.closed().await, LinkError::Lost);
    for link in [&ben, &outlet] {
        assert_eq!(*link.state().borrow(), LinkState::Up);
    }
    assert!(ben.open(WAREHOUSE).await.is_ok());
    stage.end().await;
}

#[tokio::test]
async fn a_pass_from_before_the_revocation_admits_nobody_any_more() {
    let stage = Stage::start(Limits::default()).await;
    let holder = NoiseSecret::generate(&SystemEntropy);
    let pass = stage.pass(PassRole::Agent, &holder, "ana");
    stage.link(&holder, &pass).await.unwrap().shutdown().await;

    stage.shut_out("ana");

    assert_eq!(stage.link(&holder, &pass).await.err(), Some(NO_PASS));
    stage.end().await;
}

#[tokio::test]
async fn a_token_that_was_given_out_before_is_worth_nothing() {
    let stage = Stage::start(Limits::default()).await;
    let (ana, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let token = ana.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    let mut early = circuit(&stage.address, token, SOON).await.unwrap();

    stage.shut_out("ana");

    assert!(is_closed(&mut early).await);
    let mut late = circuit(&stage.address, token, SOON).await.unwrap();
    assert!(is_closed(&mut late).await);
    stage.end().await;
}

#[tokio::test]
async fn a_joined_circuit_is_cut_after_the_outlet_could_say_why() {
    let stage = Stage::start(Limits::default()).await;
    let (ana, ben, outlet) = (
        stage.agent("ana").await,
        stage.agent("ben").await,
        stage.outlet("db").await,
    );
    let (mut near, mut far) = joined(&stage, &ana, &outlet).await;
    let (mut others, mut others_far) = joined(&stage, &ben, &outlet).await;

    stage.shut_out("ana");
    assert_eq!(ana.closed().await, LinkError::Lost);
    far.write_all(b"because").await.unwrap();

    let mut why = [0; 7];
    near.read_exact(&mut why).await.unwrap();
    assert_eq!(&why, b"because");
    assert!(is_closed(&mut near).await && is_closed(&mut far).await);
    others.write_all(b"y").await.unwrap();
    others_far.read_exact(&mut [0]).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn somebody_who_was_shut_out_before_the_relay_began_stays_out() {
    let stage = Stage::start(Limits::default()).await;
    stage.shut_out("ana");
    let holder = NoiseSecret::generate(&SystemEntropy);
    let ana = stage.pass(PassRole::Agent, &holder, "ana");

    assert_eq!(stage.link(&holder, &ana).await.err(), Some(NO_PASS));

    assert_eq!(stage.relay.links(), 0);
    stage.end().await;
}
