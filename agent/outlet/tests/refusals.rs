//! People and programs who may not connect: what they learn, what the audit keeps, and that no target is touched.
//! The exact reason stands in the audit and nowhere else.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::org::{ORG_POLICY, Org, Person, RZ};
use support::{Said, World, ana, hear, open, soon, within};
use tidegate_link::Secure;
use tidegate_proto::auth::{Auth, prove};
use tidegate_proto::channel::{HandshakeHash, Suite};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::{EventKind, PortalRefused};
use tidegate_proto::frame::{Frame, Open, Purpose};
use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::Assurance;
use tidegate_proto::words::words;
use tokio::io::AsyncWriteExt;

fn refusals(world: &World) -> Vec<PortalRefused> {
    let refused = |event| match event {
        EventKind::PortalRefused(refused) => Some(refused),
        _ => None,
    };
    world.events().into_iter().filter_map(refused).collect()
}

fn not_admitted() -> Said {
    Said::Refused(
        Code::NotAdmitted.number(),
        words(&Problem::new(Code::NotAdmitted)).line(),
    )
}

async fn present(world: &World, auth: impl FnOnce(&HandshakeHash) -> Auth) -> Said {
    let mut secure = world.handshake(Suite::Aes256Gcm).await;
    let auth = auth(&secure.hash).encode().unwrap();
    secure.send(&Frame::Auth(&auth)).await.unwrap();
    let said = hear(&mut secure).await;
    assert_eq!(
        hear(&mut secure).await,
        Said::Nothing,
        "the circuit is over"
    );
    said
}

#[tokio::test]
async fn first_bytes_that_nobody_would_read_are_refused_and_not_lost() {
    let world = World::start().await;
    let mut secure = world.warm(&ana()).await;
    let open = Open {
        portal: 1,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: b"hello",
    };

    secure.send(&Frame::Open(open)).await.unwrap();

    let Said::Refused(code, _) = hear(&mut secure).await else {
        panic!("not refused")
    };
    assert_eq!(code, Code::ClientAsksTooMuch.number());
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn every_stolen_or_forged_proof_gets_the_same_words_and_its_own_record() {
    let world = World::start().await;
    let (org_keys, ana, other) = (&world.org, ana(), Person::new("00uother", "data-science"));
    let thief = SigningKey::generate(&SystemEntropy);
    let stranger = Org::new();
    let elsewhere = HandshakeHash([1; 32]);
    let expired = Person {
        credential_ends: soon(0).minus(120),
        ..ana_again(&ana)
    };
    let mut late = ana_again(&ana);
    late.claims["exp"] = soon(0).minus(120).0.into();
    let mut long_ago = ana_again(&ana);
    long_ago.claims["auth_time"] = soon(0).minus(7200).0.into();
    let mut two = ana_again(&ana);
    two.claims["aud"] = serde_json::json!(["0oaTidegate", "another"]);

    let said = [
        present(&world, |_| ana.auth(org_keys, &elsewhere)).await,
        present(&world, |hash| Auth {
            identity: thief.verify_key(),
            signature: prove(hash, &thief),
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| Auth {
            id_token_0: other.auth(org_keys, hash).id_token_0,
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| Auth {
            credential: other.auth(org_keys, hash).credential,
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| Auth {
            rz: RZ.map(|byte| byte + 1),
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| Auth {
            credential: ana.auth(&stranger, hash).credential,
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| Auth {
            service: "other".parse().unwrap(),
            ..ana.auth(org_keys, hash)
        })
        .await,
        present(&world, |hash| expired.auth(org_keys, hash)).await,
        present(&world, |hash| late.auth(org_keys, hash)).await,
        present(&world, |hash| long_ago.auth(org_keys, hash)).await,
        present(&world, |hash| two.auth(org_keys, hash)).await,
    ];

    assert!(said.iter().all(|said| *said == not_admitted()), "{said:?}");
    let records = refusals(&world);
    assert_eq!(records.len(), said.len());
    assert!(
        records
            .iter()
            .all(|record| record.peer.is_none() && record.code == Code::NotAdmitted)
    );
    assert_eq!(world.target.came(), 0);
    world.end().await;
}

fn ana_again(ana: &Person) -> Person {
    let identity = SigningKey::from_seed(&ana.identity.seed());
    Person {
        sub: ana.sub.clone(),
        identity,
        claims: ana.claims.clone(),
        ..*ana
    }
}

#[tokio::test]
async fn a_forbidden_person_is_told_what_is_said_of_a_service_that_does_not_exist() {
    let world = World::start().await;
    let unknown = words(&Problem::new(Code::NotAvailable)).line();

    for person in [
        Person::new("00ueve", "sales"),
        Person::new("00ubad", "data-science"),
    ] {
        let mut secure = world.warm(&person).await;
        let said = open(&mut secure, 1, Purpose::Connect).await;
        assert_eq!(
            said,
            Said::Refused(Code::NotAvailable.number(), unknown.clone())
        );
        let said = open(&mut secure, 2, Purpose::Probe).await;
        assert_eq!(
            said,
            Said::Refused(Code::NotAvailable.number(), unknown.clone())
        );
    }

    let records = refusals(&world);
    assert_eq!(records.len(), 4);
    assert!(
        records
            .iter()
            .all(|record| record.exact.starts_with("a policy denied"))
    );
    assert_eq!(records[0].peer.as_ref().unwrap().sub.as_str(), "00ueve");
    assert_eq!(world.target.came(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_device_code_sign_in_opens_only_what_both_policies_open_to_it_by_name() {
    let world = World::start().await;
    let [usual, field] =
        ["data-science", "field"].map(|group| Person::new("00udev", group).by_device_code());

    let mut secure = world.warm(&usual).await;
    let said = open(&mut secure, 1, Purpose::Connect).await;
    let unknown = words(&Problem::new(Code::NotAvailable)).line();
    assert_eq!(said, Said::Refused(Code::NotAvailable.number(), unknown));
    assert_eq!(world.target.came(), 0);
    assert!(refusals(&world)[0].exact.ends_with("LowAssurance"));

    let mut secure = world.warm(&field).await;
    let said = open(&mut secure, 1, Purpose::Connect).await;
    assert_eq!(said, Said::Opened(1));
    drop(secure);
    let recorded = |event: &EventKind| match event {
        EventKind::PortalOpened(opened) => Some(opened.peer.assurance),
        _ => None,
    };
    assert_eq!(world.event(recorded).await, Assurance::Low);
    world.end().await;
}

#[tokio::test]
async fn asking_again_and_again_ends_the_circuit() {
    let world = World::start().await;
    let mut secure = world.warm(&Person::new("00ueve", "sales")).await;

    let mut refused = 0;
    while let Said::Refused(..) = open_or_nothing(&mut secure).await {
        refused += 1;
    }

    assert_eq!(refused, 16);
    world.end().await;
}

async fn open_or_nothing(secure: &mut Secure) -> Said {
    let open = tidegate_proto::frame::Open {
        portal: 1,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: &[],
    };
    match secure.send(&Frame::Open(open)).await {
        Ok(()) => hear(secure).await,
        Err(_) => Said::Nothing,
    }
}

#[tokio::test]
async fn frames_out_of_turn_open_nothing() {
    let world = World::start().await;
    for frame in [
        Frame::Open(tidegate_proto::frame::Open {
            portal: 1,
            process: 9,
            purpose: Purpose::Connect,
            grant: None,
            first: &[],
        }),
        Frame::Data {
            offset: 0,
            bytes: b"SELECT 1",
        },
        Frame::Fin { offset: 0 },
        Frame::Ping(1),
    ] {
        let mut secure = world.handshake(Suite::Aes256Gcm).await;
        secure.send(&frame).await.unwrap();
        assert_eq!(hear(&mut secure).await, not_admitted());
    }
    let ana = ana();
    let mut twice = world.warm(&ana).await;
    let auth = ana.auth(&world.org, &twice.hash).encode().unwrap();
    twice.send(&Frame::Auth(&auth)).await.unwrap();
    assert_eq!(hear(&mut twice).await, Said::Nothing);
    let mut early = world.warm(&ana).await;
    early
        .send(&Frame::Data {
            offset: 0,
            bytes: b"x",
        })
        .await
        .unwrap();
    assert_eq!(hear(&mut early).await, Said::Nothing);

    assert_eq!(world.target.came(), 0);
    world.end().await;
}

#[tokio::test]
async fn garbage_in_place_of_a_handshake_is_dropped() {
    let world = World::start().await;
    let lengths = [0usize, 1, 15, 100, 5000];
    for length in lengths {
        let (mut tcp, _) = world.hub.circuit().await;
        let _ = tcp.write_all(&vec![0xff; length]).await;
        let _ = tcp.shutdown().await;
    }

    let mut secure = world.warm(&ana()).await;
    assert_eq!(open(&mut secure, 1, Purpose::Probe).await, Said::Opened(1));
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn whoever_is_silent_after_the_handshake_has_ten_seconds() {
    let world = World::start().await;
    let mut secure = world.handshake(Suite::Aes256Gcm).await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();

    let said = tokio::time::timeout(Duration::from_secs(60), secure.recv());
    let said = said.await.unwrap().unwrap();

    assert!(
        matches!(said.frame(), Frame::Refused { code, .. } if code == Code::NotAdmitted.number())
    );
    assert!(
        begun.elapsed() <= Duration::from_secs(12),
        "{:?}",
        begun.elapsed()
    );
    tokio::time::resume();
    assert_eq!(
        refusals(&world)[0].exact,
        "auth came later than 10 s after the handshake began"
    );
    world.end().await;
}

#[tokio::test]
async fn a_byte_a_second_is_not_enough() {
    let world = World::start().await;
    let (mut tcp, _) = world.hub.circuit().await;
    tcp.write_all(&[1]).await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();

    while tcp.write_all(&[4]).await.is_ok() && begun.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    assert!(
        begun.elapsed() <= Duration::from_secs(13),
        "{:?}",
        begun.elapsed()
    );
    tokio::time::resume();
    world.end().await;
}

#[tokio::test]
async fn one_person_cannot_hold_every_place() {
    let world = World::start().await;
    let ana = ana();
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(world.warm(&ana).await);
    }

    let (_, ninth) = world.auth(&ana).await;
    assert!(matches!(ninth, Said::Refused(code, _) if code == Code::TooManyConnections.number()));
    let _bob = world.warm(&Person::new("00ubob", "data-science")).await;

    drop((held, _bob));
    world.end().await;
}

#[tokio::test]
async fn the_outlets_own_answer_needs_no_authority_while_credentials_last() {
    let world = World::start().await;
    world.hub.inner.answer.send_replace(None);
    world.hub.say("changed", "");

    let mut secure = world.warm(&ana()).await;

    assert_eq!(open(&mut secure, 1, Purpose::Probe).await, Said::Opened(1));
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_turned_its_key_is_asked_again_but_not_for_every_stranger() {
    let world = World::start().await;
    let asked = world.org.provider.asked();
    world.org.provider.turn_key("k2");

    let with_new_key = world.warm(&ana()).await;
    assert_eq!(world.org.provider.asked(), asked + 1);

    world.org.provider.turn_key("../../etc/passwd");
    for _ in 0..20 {
        let (_, said) = world.auth(&ana()).await;
        assert_eq!(said, not_admitted());
    }
    assert_eq!(world.org.provider.asked(), asked + 1);
    drop(with_new_key);
    world.end().await;
}

#[tokio::test]
async fn a_key_that_the_provider_removed_lets_nobody_in_after_the_next_fetch() {
    let world = World::start().await;
    let provider = &world.org.provider;
    let asked = provider.asked();
    provider.turn_key("k2");

    // Not heard of yet: that takes ten minutes at most, and 70 where nobody lets the outlet ask.
    provider.sign_with_former(true);
    let unheard = world.warm(&ana()).await;
    assert_eq!(provider.asked(), asked);
    provider.sign_with_former(false);
    let heard = world.warm(&ana()).await;
    assert_eq!(provider.asked(), asked + 1);

    provider.sign_with_former(true);
    let (_, said) = world.auth(&ana()).await;
    assert_eq!(said, not_admitted());
    assert_eq!(provider.asked(), asked + 1);
    drop((unheard, heard));
    world.end().await;
}

/// Nobody shows the outlet a token by the new key, which would make it ask.
#[tokio::test]
async fn a_key_that_the_provider_removed_lets_nobody_in_ten_minutes_later_though_nobody_shows_the_new_one()
 {
    let world = World::start().await;
    let provider = &world.org.provider;
    let asked = provider.asked();
    provider.turn_key("k2");
    provider.sign_with_former(true);
    let unheard = world.warm(&ana()).await;
    assert_eq!(provider.asked(), asked);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(601)).await;
    tokio::time::resume();

    within(async {
        while provider.asked() == asked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What was answered is taken a moment later.
        while world.auth(&ana()).await.1 != not_admitted() {}
    })
    .await;
    provider.sign_with_former(false);
    let heard = world.warm(&ana()).await;
    drop((unheard, heard));
    world.end().await;
}

#[tokio::test]
async fn a_hub_that_signs_for_itself_is_not_believed() {
    let world = World::start().await;
    let impostor = Org::new();
    let mut answer = world.hub.inner.answer.borrow().clone().unwrap();
    let all = r#"permit (principal, action, resource) when { principal.org == "acme" };"#;
    answer.policy = Some(impostor.policy(all, 9));
    std::fs::write(world.owner_policy(), all).unwrap();
    world.outlet().reload_policy().await.unwrap();
    world.hub.inner.answer.send_replace(Some(answer));
    world.has_turned_down_an_answer().await;

    let mut secure = world.warm(&Person::new("00ueve", "sales")).await;
    assert!(matches!(
        open(&mut secure, 1, Purpose::Connect).await,
        Said::Refused(..)
    ));

    assert_eq!(world.target.came(), 0);
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn an_older_policy_is_never_taken_again() {
    let world = World::start().await;
    world.answer("", 2);
    world.hub.say("changed", "");
    let changed = |event: &EventKind| match event {
        EventKind::StandingChanged { what } if what == "org policy" => Some(()),
        _ => None,
    };
    world.event(changed).await;

    world.answer(ORG_POLICY, 1);
    world.has_turned_down_an_answer().await;
    let mut secure = world.warm(&ana()).await;
    let said = open(&mut secure, 1, Purpose::Connect).await;

    assert!(matches!(said, Said::Refused(code, _) if code == Code::NotAvailable.number()));
    drop(secure);
    world.end().await;
}
