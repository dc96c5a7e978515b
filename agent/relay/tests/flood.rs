//! Those who say too much: a link that floods the relay with messages, and strangers with chains as large as a chain may be.
//! Somebody else must not notice, and every flood has an end.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Stage, WAREHOUSE, org};
use std::time::Duration;
use tidegate_link::{Preface, Secure, dial, initiate, preface};
use tidegate_proto::{
    channel::{Prologue, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
    statement::{PassRole, Statement},
    wire::{
        chain::MAX_CHAIN,
        link::{FromRelay, RelayRefusal, ToRelay},
    },
};
use tidegate_relay::Limits;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
/// Presented one after the other.
const CHAINS: usize = 200;

/// A link before anything was said on it.
async fn stranger(stage: &Stage, holder: &NoiseSecret) -> Secure {
    let mut tcp = dial(&stage.address, SOON).await.unwrap();
    preface(&mut tcp, Preface::Link).await.unwrap();
    let prologue = Prologue::link(Suite::Aes256Gcm, org());
    initiate(tcp, &prologue, holder, stage.key).await.unwrap()
}

/// An admitted link in the hands of somebody who says what he likes.
async fn admitted(stage: &Stage, who: &str) -> Secure {
    let holder = NoiseSecret::generate(&SystemEntropy);
    let mut secure = stranger(stage, &holder).await;
    let pass = stage.pass(PassRole::Agent, &holder, who);
    let pass = pass.sign(&stage.authority);
    let hello = ToRelay::Hello { pass }.encode();
    secure.send_record(&hello).await.unwrap();
    assert_eq!(heard(&mut secure).await, Some(FromRelay::Welcome));
    secure
}

/// `None` at the end.
async fn heard(secure: &mut Secure) -> Option<FromRelay> {
    let record = timeout(SOON, secure.recv_record())
        .await
        .expect("the relay answers");
    record
        .ok()
        .map(|record| FromRelay::decode(&record).unwrap())
}

/// Says one thing over and over, and counts how often it was answered before the relay had enough.
async fn flooded(secure: Secure, message: &ToRelay) -> usize {
    let (mut reader, mut writer) = secure.into_split();
    let record = message.encode();
    let saying = async { while writer.send_record(&record).await.is_ok() {} };
    let hearing = async {
        let mut answers = 0;
        while reader.recv_record().await.is_ok() {
            answers += 1;
        }
        answers
    };
    let both = async { tokio::join!(saying, hearing).1 };
    timeout(SOON, both).await.expect("a flood has an end")
}

#[tokio::test]
async fn a_link_that_floods_is_ended_and_nobody_else_notices() {
    let limits = Limits {
        messages_at_once: 500,
        messages_a_second: 10,
        ..Limits::default()
    };
    let stage = Stage::start(limits).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let messages = [
        ToRelay::Ping(7),
        ToRelay::Open {
            request: 1,
            handle: common::OTHER,
        },
        ToRelay::KeyTunnel { request: 1 },
    ];
    for message in messages {
        let answers = flooded(admitted(&stage, "mallory").await, &message).await;

        // A connection that is closed with words unread takes the last answers with it: how many, nobody knows.
        assert!(answers < 750, "{answers} answers");
        let token = agent.open(WAREHOUSE).await.unwrap();
        assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    }
    let chain = ToRelay::Chain {
        json: vec![b'['; MAX_CHAIN],
    };
    // The first that proves nothing ends a link anyway.
    assert_eq!(flooded(admitted(&stage, "mallory").await, &chain).await, 0);

    assert_eq!(stage.relay.links(), 2);
    agent.shutdown().await;
    outlet.shutdown().await;
    stage.end().await;
}

#[tokio::test]
async fn chains_as_large_as_can_be_presented_many_times_keep_nobody_out() {
    let stage = Stage::start(Limits::default()).await;
    let outlet = stage.outlet("db").await;
    let deep = "[".repeat(MAX_CHAIN);
    let wide = format!("[{}0]", "0,".repeat((MAX_CHAIN - 3) / 2));
    let one_string = format!("{{\"pass\":\"{}\"}}", "a".repeat(MAX_CHAIN - 11));
    let holder = NoiseSecret::generate(&SystemEntropy);

    for json in [deep, wide, one_string].iter().cycle().take(CHAINS) {
        assert!(json.len() <= MAX_CHAIN);
        let mut secure = stranger(&stage, &holder).await;
        let chain = ToRelay::Chain {
            json: json.clone().into_bytes(),
        };
        secure.send_record(&chain.encode()).await.unwrap();
        let refused = FromRelay::Refused {
            request: 0,
            code: RelayRefusal::Pass.code(),
        };
        assert_eq!(heard(&mut secure).await, Some(refused));
        assert_eq!(heard(&mut secure).await, None);
    }
    // One byte more is no message at all.
    let mut secure = stranger(&stage, &holder).await;
    let chain = ToRelay::Chain {
        json: vec![b'a'; MAX_CHAIN + 1],
    };
    secure.send_record(&chain.encode()).await.unwrap();
    assert_eq!(heard(&mut secure).await, None);

    let agent = stage.agent("ana").await;
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    assert_eq!(stage.relay.strangers(), 0);
    agent.shutdown().await;
    outlet.shutdown().await;
    stage.end().await;
}
