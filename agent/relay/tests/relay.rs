//! A relay on a real port, seen by agents, outlets and strangers.
//! Every test ends the relay and shows that no link and no circuit is left.
#![allow(clippy::unwrap_used)]

mod common;

use common::{OTHER, Stage, WAREHOUSE, org};
use std::time::Duration;
use tidegate_link::{
    HANDSHAKE_LIMIT, LinkError, LinkState, Portal, Preface, RelayLink, circuit, dial, initiate,
    preface, respond,
};
use tidegate_proto::{
    channel::{CircuitToken, Prologue, Suite},
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey},
    statement::{PassRole, Statement},
    wire::link::RelayRefusal,
};
use tidegate_relay::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(10);
const ABSENT: LinkError = LinkError::Refused(RelayRefusal::Absent);
const BUSY: LinkError = LinkError::Refused(RelayRefusal::Busy);
const NO_PASS: LinkError = LinkError::Refused(RelayRefusal::Pass);

/// Whether the relay closes a connection without a word.
async fn is_closed(mut tcp: TcpStream) -> bool {
    matches!(
        timeout(SOON, tcp.read(&mut [0; 1]))
            .await
            .expect("the relay answers"),
        Ok(0) | Err(_)
    )
}

/// Opens a circuit and dials both halves.
async fn halves(
    stage: &Stage,
    agent: &RelayLink,
    outlet: &RelayLink,
) -> (CircuitToken, TcpStream, TcpStream) {
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    let near = circuit(&stage.address, token, SOON).await.unwrap();
    let far = circuit(&stage.address, token, SOON).await.unwrap();
    (token, near, far)
}

#[tokio::test]
async fn joins_an_agent_and_an_outlet_end_to_end() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);

    let (token, near, far) = halves(&stage, &agent, &outlet).await;
    let (ours, theirs) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let believed = |suite| Prologue::portal(suite, org(), "warehouse".parse().unwrap(), token);
    let prologue = believed(Suite::Aes256Gcm);
    let (near, far) = tokio::join!(
        initiate(near, &prologue, &ours, theirs.public()),
        respond(far, believed, &theirs)
    );
    let (mut near, mut far) = (Portal::new(near.unwrap()), Portal::new(far.unwrap()));

    let talk = async {
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let serve = async {
        let mut question = Vec::new();
        far.read_to_end(&mut question).await.unwrap();
        far.write_all(&vec![7; 1_000_000]).await.unwrap();
        far.shutdown().await.unwrap();
        question
    };
    let (answer, question) = tokio::join!(talk, serve);

    assert_eq!(question, b"question");
    assert_eq!(answer, vec![7; 1_000_000]);
    drop((near, far));
    agent.shutdown().await;
    outlet.shutdown().await;
    stage.end().await;
}

#[tokio::test]
async fn a_token_works_once_for_each_side() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);

    let (token, mut near, mut far) = halves(&stage, &agent, &outlet).await;
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    let third = circuit(&stage.address, token, SOON).await.unwrap();

    assert!(is_closed(third).await);
    far.write_all(b"y").await.unwrap();
    near.read_exact(&mut [0]).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn whoever_waits_for_an_outlet_that_is_gone_does_not_wait_for_its_token() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));
    let near = circuit(&stage.address, token, SOON).await.unwrap();
    let begun = tokio::time::Instant::now();

    outlet.shutdown().await;

    assert!(is_closed(near).await);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a token lives ten"
    );
    assert_eq!(agent.open(WAREHOUSE).await, Err(ABSENT));
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_whose_newer_link_took_over_still_comes_for_what_it_was_offered() {
    let stage = Stage::start(Limits {
        links_per_pseudonym: 1,
        ..Limits::default()
    })
    .await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(outlet.incoming().await, Some((WAREHOUSE, token)));

    let newer = stage.outlet("db").await;
    outlet.closed().await;
    let mut near = circuit(&stage.address, token, SOON).await.unwrap();
    let mut far = circuit(&stage.address, token, SOON).await.unwrap();

    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    drop(newer);
    stage.end().await;
}

#[tokio::test]
async fn a_token_that_nobody_gave_out_is_refused() {
    let stage = Stage::start(Limits::default()).await;

    let stranger = circuit(&stage.address, CircuitToken([9; 16]), SOON)
        .await
        .unwrap();

    assert!(is_closed(stranger).await);
    stage.end().await;
}

#[tokio::test]
async fn a_token_runs_out_after_ten_seconds() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(stage.relay.circuits(), 1);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    while stage.relay.circuits() > 0 {
        tokio::task::yield_now().await;
    }

    assert!(is_closed(circuit(&stage.address, token, SOON).await.unwrap()).await);
    drop(outlet);
    stage.end().await;
}

#[tokio::test]
async fn only_a_pass_of_this_authority_for_this_key_and_org_admits() {
    let stage = Stage::start(Limits::default()).await;
    let (holder, thief) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let good = stage.pass(PassRole::Agent, &holder, "ana");
    let expired = {
        let mut pass = good.clone();
        pass.not_after = pass.not_after.minus(600 + 61);
        pass
    };
    let foreign = {
        let mut pass = good.clone();
        pass.org = "other".parse().unwrap();
        pass
    };

    assert_eq!(stage.link(&thief, &good).await.err(), Some(NO_PASS));
    assert_eq!(stage.link(&holder, &expired).await.err(), Some(NO_PASS));
    assert_eq!(stage.link(&holder, &foreign).await.err(), Some(NO_PASS));
    let forger = SigningKey::generate(&SystemEntropy);
    for pass in [
        good.sign(&forger),
        "not-a-pass".to_owned(),
        format!("{}x", good.sign(&stage.authority)),
    ] {
        let link = RelayLink::connect(&stage.address, stage.key, &holder, &org(), pass).await;
        assert_eq!(link.err(), Some(NO_PASS));
    }
    assert_eq!(stage.relay.links(), 0);
    stage.link(&holder, &good).await.unwrap().shutdown().await;
    stage.end().await;
}

#[tokio::test]
async fn a_link_to_another_relay_or_org_never_begins() {
    let stage = Stage::start(Limits::default()).await;
    let holder = NoiseSecret::generate(&SystemEntropy);
    let pass = stage
        .pass(PassRole::Agent, &holder, "ana")
        .sign(&stage.authority);
    let other_key = NoiseSecret::generate(&SystemEntropy).public();
    let other_org = "other".parse().unwrap();

    let wrong_key =
        RelayLink::connect(&stage.address, other_key, &holder, &org(), pass.clone()).await;
    let wrong_org = RelayLink::connect(&stage.address, stage.key, &holder, &other_org, pass).await;

    assert!(matches!(wrong_key.err(), Some(LinkError::Channel(_))));
    assert_eq!(wrong_org.err(), Some(LinkError::Lost));
    stage.end().await;
}

#[tokio::test]
async fn a_service_that_is_not_mine_and_one_that_is_not_there_look_alike() {
    let stage = Stage::start(Limits::default()).await;
    let agent = stage.agent("ana").await;

    assert_eq!(agent.open(WAREHOUSE).await, Err(ABSENT));
    let outlet = stage.outlet("db").await;
    assert_eq!(agent.open(OTHER).await, Err(ABSENT));
    assert!(agent.open(WAREHOUSE).await.is_ok());

    outlet.shutdown().await;
    while stage.relay.links() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.open(WAREHOUSE).await, Err(ABSENT));
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_opens_nothing_and_an_agent_tunnels_nowhere() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);

    assert_eq!(outlet.open(WAREHOUSE).await, Err(ABSENT));
    assert_eq!(agent.key_tunnel().await, Err(ABSENT));
    stage.end().await;
}

#[tokio::test]
async fn a_key_tunnel_leads_to_the_one_host() {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = provider.local_addr().unwrap().to_string().parse().unwrap();
    let stage = Stage::with_key_host(Limits::default(), host).await;
    let outlet = stage.outlet("db").await;

    let token = outlet.key_tunnel().await.unwrap();
    let mut tunnel = circuit(&stage.address, token, SOON).await.unwrap();
    tunnel.write_all(b"GET").await.unwrap();
    let (mut at_provider, _) = provider.accept().await.unwrap();
    let mut asked = [0; 3];
    at_provider.read_exact(&mut asked).await.unwrap();
    at_provider.write_all(b"keys").await.unwrap();
    drop(at_provider);
    let mut answer = Vec::new();
    tunnel.read_to_end(&mut answer).await.unwrap();

    assert_eq!((&asked, answer.as_slice()), (b"GET", &b"keys"[..]));
    assert!(is_closed(circuit(&stage.address, token, SOON).await.unwrap()).await);
    stage.end().await;
}

#[tokio::test]
async fn limits_hold_per_pseudonym() {
    let limits = Limits {
        circuits_per_pseudonym: 2,
        tunnels_per_pseudonym: 1,
        ..Limits::default()
    };
    let stage = Stage::start(limits).await;
    let (ana, ben, outlet) = (
        stage.agent("ana").await,
        stage.agent("ben").await,
        stage.outlet("db").await,
    );

    ana.open(WAREHOUSE).await.unwrap();
    ana.open(WAREHOUSE).await.unwrap();
    assert_eq!(ana.open(WAREHOUSE).await, Err(BUSY));
    assert!(ben.open(WAREHOUSE).await.is_ok());
    outlet.key_tunnel().await.unwrap();
    assert_eq!(outlet.key_tunnel().await, Err(BUSY));
    stage.end().await;
}

#[tokio::test]
async fn limits_hold_for_the_whole_org() {
    let limits = Limits {
        links: 4,
        circuits: 2,
        ..Limits::default()
    };
    let stage = Stage::start(limits).await;
    let people = [
        stage.agent("ana").await,
        stage.agent("ben").await,
        stage.agent("cem").await,
    ];
    let _outlet = stage.outlet("db").await;

    let holder = NoiseSecret::generate(&SystemEntropy);
    let pass = stage.pass(PassRole::Agent, &holder, "dora");
    assert!(stage.link(&holder, &pass).await.is_err());
    people[0].open(WAREHOUSE).await.unwrap();
    people[1].open(WAREHOUSE).await.unwrap();
    assert_eq!(people[2].open(WAREHOUSE).await, Err(BUSY));
    stage.end().await;
}

#[tokio::test]
async fn the_newest_links_of_a_pseudonym_stay() {
    let stage = Stage::start(Limits {
        links_per_pseudonym: 2,
        ..Limits::default()
    })
    .await;
    let (first, second) = (stage.agent("ana").await, stage.agent("ana").await);
    let other = stage.agent("ben").await;

    let third = stage.agent("ana").await;

    assert_eq!(first.closed().await, LinkError::Lost);
    for link in [&second, &third, &other] {
        assert_eq!(*link.state().borrow(), LinkState::Up);
    }
    stage.end().await;
}

#[tokio::test]
async fn a_link_ends_with_its_pass_unless_a_newer_one_came() {
    let stage = Stage::start(Limits::default()).await;
    let outlet = stage.outlet("db").await;
    let (holder, other) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let renewing = stage
        .link(&holder, &stage.pass(PassRole::Agent, &holder, "ana"))
        .await
        .unwrap();
    let lazy = stage
        .link(&other, &stage.pass(PassRole::Agent, &other, "ben"))
        .await
        .unwrap();

    stage.advance(300);
    let newer = stage
        .pass(PassRole::Agent, &holder, "ana")
        .sign(&stage.authority);
    renewing.new_pass(newer).await.unwrap();
    renewing.open(OTHER).await.unwrap_err();
    stage.advance(400);

    assert!(lazy.open(WAREHOUSE).await.is_err());
    assert_eq!(lazy.closed().await, LinkError::Lost);
    assert_eq!(
        renewing.open(WAREHOUSE).await,
        Err(ABSENT),
        "the outlet's pass has run out too"
    );
    outlet.closed().await;
    stage.end().await;
}

#[tokio::test]
async fn a_newer_pass_of_somebody_else_ends_the_link() {
    let stage = Stage::start(Limits::default()).await;
    let holder = NoiseSecret::generate(&SystemEntropy);
    let link = stage
        .link(&holder, &stage.pass(PassRole::Agent, &holder, "ana"))
        .await
        .unwrap();

    link.new_pass(
        stage
            .pass(PassRole::Outlet, &holder, "ana")
            .sign(&stage.authority),
    )
    .await
    .unwrap();

    assert_eq!(link.closed().await, LinkError::Lost);
    stage.end().await;
}

#[tokio::test]
async fn three_thousand_half_open_connections_do_not_stop_an_admitted_agent() {
    let stage = Stage::start(Limits::default()).await;
    let (early, outlet) = (stage.agent("ana").await, stage.outlet("db").await);

    let mut strangers = Vec::new();
    for n in 0..3_000 {
        let mut tcp = dial(&stage.address, SOON).await.unwrap();
        match n % 3 {
            0 => {}
            1 => preface(&mut tcp, Preface::Link).await.unwrap(),
            _ => tcp.write_all(b"t").await.unwrap(),
        }
        strangers.push(tcp);
    }
    assert!(stage.doorstep.crowd() <= 512);

    let (_, mut near, mut far) = halves(&stage, &early, &outlet).await;
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    let late = timeout(HANDSHAKE_LIMIT, stage.agent("ben"))
        .await
        .expect("a new agent is admitted");
    assert!(late.open(WAREHOUSE).await.is_ok());

    drop(strangers);
    while stage.doorstep.crowd() > 0 {
        tokio::task::yield_now().await;
    }
    stage.end().await;
}

#[tokio::test]
async fn draining_tells_every_link_and_opens_nothing_new() {
    let stage = Stage::start(Limits::default()).await;
    let (agent, outlet) = (stage.agent("ana").await, stage.outlet("db").await);
    let (_, mut near, mut far) = halves(&stage, &agent, &outlet).await;

    stage.relay.drain();
    let mut state = agent.state();
    state
        .wait_for(|state| *state == LinkState::Draining)
        .await
        .unwrap();

    assert_eq!(
        agent.open(WAREHOUSE).await,
        Err(LinkError::Refused(RelayRefusal::Draining))
    );
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    stage.end().await;
    assert_eq!(agent.closed().await, LinkError::Lost);
    assert!(is_closed(near).await && is_closed(far).await);
}
