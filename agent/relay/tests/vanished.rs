//! An outlet whose machine vanishes closes nothing. Only what is on its way to it can tell, so the relay sends it something.
//! That its kernel then gives the connection up is a matter of `TCP_USER_TIMEOUT`, and not seen here.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Stage, org};
use std::time::Duration;
use tidegate_link::{LinkError, Preface, Secure, dial, initiate, preface};
use tidegate_proto::{
    channel::{Prologue, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
    statement::{PassRole, Statement},
    wire::link::{FromRelay, ToRelay},
};
use tidegate_relay::Limits;
use tokio::time::{error::Elapsed, timeout};

const SOON: Duration = Duration::from_secs(20);
/// By when something is on its way to a silent outlet.
const SILENT: Duration = Duration::from_secs(4);
/// For bytes that are on their way on this machine.
const ARRIVES: Duration = Duration::from_secs(2);

/// An admitted link whose holder says nothing by itself.
async fn mute(stage: &Stage, role: PassRole) -> Secure {
    let holder = NoiseSecret::generate(&SystemEntropy);
    let mut tcp = dial(&stage.address, SOON).await.unwrap();
    preface(&mut tcp, Preface::Link).await.unwrap();
    let prologue = Prologue::link(Suite::Aes256Gcm, org());
    let mut secure = initiate(tcp, &prologue, &holder, stage.key).await.unwrap();
    let pass = stage.pass(role, &holder, "somebody").sign(&stage.authority);
    let hello = ToRelay::Hello { pass }.encode();
    secure.send_record(&hello).await.unwrap();
    let welcome = heard(&mut secure, SOON).await.unwrap().unwrap();
    assert_eq!(welcome, FromRelay::Welcome);
    secure
}

async fn heard(
    secure: &mut Secure,
    within: Duration,
) -> Result<Result<FromRelay, LinkError>, Elapsed> {
    let record = timeout(within, secure.recv_record()).await?;
    Ok(record.map(|record| FromRelay::decode(&record).unwrap()))
}

async fn time_passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_outlet_that_says_nothing_is_sent_something_every_few_seconds() {
    let stage = Stage::start(Limits::default()).await;
    let mut outlet = mute(&stage, PassRole::Outlet).await;

    for _ in 0..3 {
        time_passes(SILENT).await;
        let said = heard(&mut outlet, ARRIVES).await;
        assert_eq!(said, Ok(Ok(FromRelay::Pong(0))));
    }

    drop(outlet);
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_that_speaks_is_only_answered() {
    let stage = Stage::start(Limits::default()).await;
    let mut outlet = mute(&stage, PassRole::Outlet).await;

    for number in 1..4 {
        time_passes(Duration::from_secs(2)).await;
        let ping = ToRelay::Ping(number).encode();
        outlet.send_record(&ping).await.unwrap();
        let said = heard(&mut outlet, ARRIVES).await;
        assert_eq!(said, Ok(Ok(FromRelay::Pong(number))));
    }

    drop(outlet);
    stage.end().await;
}

#[tokio::test]
async fn a_laptop_that_says_nothing_is_left_in_peace() {
    let stage = Stage::start(Limits::default()).await;
    let mut laptop = mute(&stage, PassRole::Agent).await;

    time_passes(SILENT).await;

    assert!(heard(&mut laptop, ARRIVES).await.is_err());
    drop(laptop);
    stage.end().await;
}
