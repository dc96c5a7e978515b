//! Out is out: at once for who listens, for good in the store, and never by anybody's word but the root's.
//! (Bad inputs 32, 48, and a revocation that is replayed.)

use http::StatusCode;
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, event, path},
    entropy::SystemEntropy,
    identity::SigningKey,
    problem::Code,
    statement::{Beacon, Credential, RevokeTarget, Statement},
};

use crate::support::{
    Stage,
    client::{Device, Events, Refused, tampered},
};

fn person(sub: &str) -> RevokeTarget {
    RevokeTarget::Subject(sub.parse().unwrap())
}

async fn revoke(stage: &Stage, id: &str, who: RevokeTarget) -> Result<u64, Refused> {
    hand_in(stage, stage.org.revocation(id, who, stage.now())).await
}

async fn hand_in(stage: &Stage, revocation: String) -> Result<u64, Refused> {
    let answer = stage
        .connect()
        .await
        .post::<RevokeAnswer>(path::REVOKE, &RevokeRequest { revocation })
        .await;
    answer.map(|answer| answer.epoch)
}

async fn beacon(stage: &Stage, events: &mut Events) -> Beacon {
    loop {
        let event = events.next().await.unwrap();
        if event.name == event::BEACON {
            return Beacon::verify(&event.data, &stage.public().key).unwrap();
        }
    }
}

async fn agent_events(stage: &Stage, device: &Device, sub: &str) -> Events {
    let mut client = stage.connect().await;
    client
        .credential(device, &stage.token(device, sub))
        .await
        .unwrap();
    client.events().await
}

async fn outlet_events(stage: &Stage) -> Events {
    let mut client = stage.connect().await;
    client.outlet(&stage.org.outlet).await.unwrap();
    client.events().await
}

#[tokio::test]
async fn a_revoked_person_is_out_at_once_and_everybody_who_must_know_knows() {
    let stage = Stage::new().await;
    let (anas, bobs) = (stage.device("ana").await, stage.device("bob").await);
    let (mut outlet, mut ana, mut bob) = (
        outlet_events(&stage).await,
        agent_events(&stage, &anas, "ana").await,
        agent_events(&stage, &bobs, "bob").await,
    );
    for events in [&mut outlet, &mut ana, &mut bob] {
        assert_eq!(beacon(&stage, events).await.epoch, 0);
    }

    let began = std::time::Instant::now();
    assert_eq!(revoke(&stage, "r1", person("ana")).await, Ok(1));

    let told = beacon(&stage, &mut outlet).await;
    assert!(began.elapsed().as_millis() < 1000, "{:?}", began.elapsed());
    assert_eq!((told.epoch, told.revoked.len()), (1, 1));
    assert_eq!(told.revoked[0].who, person("ana"));
    let told = beacon(&stage, &mut ana).await;
    assert_eq!(told.revoked.len(), 1, "she learns that it is her");
    assert!(ana.next().await.is_none(), "and nothing after it");
    let told = beacon(&stage, &mut bob).await;
    assert_eq!(
        (told.epoch, told.revoked),
        (1, vec![]),
        "who left is not bob's business"
    );

    let refused = stage
        .connect()
        .await
        .credential(&anas, &stage.token(&anas, "ana"))
        .await;
    assert_eq!(
        refused.err(),
        Some((StatusCode::FORBIDDEN, Code::Revoked.number()))
    );
    let credential = stage
        .connect()
        .await
        .credential(&bobs, &stage.token(&bobs, "bob"))
        .await
        .unwrap();
    assert_eq!(
        Credential::verify(&credential.credential, &stage.public().key)
            .unwrap()
            .epoch,
        1
    );
    drop((outlet, ana, bob));
    stage.end().await;
}

#[tokio::test]
async fn one_device_is_revoked_and_the_other_goes_on() {
    let stage = Stage::new().await;
    let (lost, kept) = (stage.device("ana").await, stage.device("ana").await);

    revoke(
        &stage,
        "r1",
        RevokeTarget::Device(lost.identity.verify_key().peer_id()),
    )
    .await
    .unwrap();

    assert!(
        stage
            .connect()
            .await
            .credential(&lost, &stage.token(&lost, "ana"))
            .await
            .is_err()
    );
    stage
        .connect()
        .await
        .credential(&kept, &stage.token(&kept, "ana"))
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn old_tickets_bring_nobody_back_and_a_new_one_does() {
    let stage = Stage::new().await;
    let hoarded = stage.org.ticket("ana", stage.now());
    let device = stage.device("ana").await;
    revoke(&stage, "r1", person("ana")).await.unwrap();

    let answer = stage.enrol(&hoarded, &Device::new()).await;
    assert_eq!(
        answer,
        Err((StatusCode::FORBIDDEN, Code::TicketExpired.number()))
    );

    stage.clock.advance(120); // a ticket is dated a minute back here
    let ticket = stage.org.ticket("ana", stage.now());
    let answer = stage.enrol(&ticket, &device).await;
    assert_eq!(
        answer,
        Err((StatusCode::FORBIDDEN, Code::Revoked.number())),
        "the old key stays out"
    );
    let new = Device::new();
    stage.enrol(&ticket, &new).await.unwrap();
    let answer = stage
        .connect()
        .await
        .credential(&new, &stage.token(&new, "ana"))
        .await
        .unwrap();
    assert_eq!(
        Credential::verify(&answer.credential, &stage.public().key)
            .unwrap()
            .epoch,
        1
    );
    stage.end().await;
}

#[tokio::test]
async fn only_the_root_revokes() {
    let stage = Stage::new().await;
    let device = stage.device("ana").await;
    let good = stage.org.revocation("r1", person("ana"), stage.now());
    let mut stranger = crate::support::org::Org::new();
    stranger.root = SigningKey::generate(&SystemEntropy);
    let from_tomorrow = stage
        .org
        .revocation("r2", person("ana"), stage.now().plus(86_400));

    for order in [
        stranger.revocation("r3", person("ana"), stage.now()),
        tampered(&good, 1),
        tampered(&good, 2),
        from_tomorrow,
        stage.org.ticket("ana", stage.now()).join.jws,
        String::new(),
    ] {
        assert_eq!(
            hand_in(&stage, order).await,
            Err((StatusCode::FORBIDDEN, Code::NotAdmitted.number()))
        );
    }

    stage
        .connect()
        .await
        .credential(&device, &stage.token(&device, "ana"))
        .await
        .unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_replayed_order_does_nothing_and_the_epoch_survives_everything() {
    let stage = Stage::new().await;
    let order = stage.org.revocation("r1", person("ana"), stage.now());
    assert_eq!(hand_in(&stage, order.clone()).await, Ok(1));
    assert_eq!(revoke(&stage, "r2", person("bob")).await, Ok(2));

    let stage = stage.restart().await;

    assert_eq!(hand_in(&stage, order).await, Ok(1), "the same receipt");
    assert_eq!(revoke(&stage, "r3", person("eve")).await, Ok(3));
    let mut outlet = outlet_events(&stage).await;
    let told = beacon(&stage, &mut outlet).await;
    assert_eq!(told.epoch, 3);
    assert_eq!(
        told.revoked.iter().map(|r| r.epoch).collect::<Vec<_>>(),
        [3, 2, 1]
    );
    drop(outlet);
    stage.end().await;
}

#[tokio::test]
async fn a_beacon_comes_every_five_seconds() {
    let stage = Stage::new().await;
    let mut outlet = outlet_events(&stage).await;
    beacon(&stage, &mut outlet).await;
    beacon(&stage, &mut outlet).await; // the phase of the first is unknown

    let began = std::time::Instant::now();
    let told = beacon(&stage, &mut outlet).await;

    let waited = began.elapsed().as_millis();
    assert!((4_500..5_500).contains(&waited), "{waited} ms");
    assert!(told.at.until(stage.now()) <= 1);
    drop(outlet);
    stage.end().await;
}
