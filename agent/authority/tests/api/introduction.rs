//! A new device let in by another one of the same person, and everybody who would like to be let in that way.
//! Both screens' words are computed here as the devices do it; the authority only carries what makes them.

use http::StatusCode;
use serde_json::json;
use tidegate_proto::{
    api::{
        RevokeRequest,
        devices::{
            DevicesAnswer, DevicesRequest, Inquiry, InquiryRequest, Introduction, IntroductionEnd,
            IntroductionRequest, IntroductionStep, Step,
        },
        event, path,
    },
    auth::prove,
    entropy::{Entropy, SystemEntropy},
    identity::VerifyKey,
    introduction::{Introduced, LIFE, commitment},
    problem::Code,
    statement::{Assurance, Beacon, RevokeTarget, Statement, Vouch},
    strict::to_base64url,
};

use crate::support::{
    Stage,
    client::{Client, Device, Events, Refused},
};

pub(crate) const NEW: [u8; 32] = [1; 32];
pub(crate) const OLD: [u8; 32] = [2; 32];

/// Ana's laptop, which is in, and what it may show.
pub(crate) struct Old {
    device: Device,
    credential: String,
}

impl Old {
    pub(crate) async fn of(stage: &Stage, sub: &str) -> Self {
        Self::signed_in(stage, stage.device(sub).await, sub).await
    }

    async fn signed_in(stage: &Stage, device: Device, sub: &str) -> Self {
        let token = stage.token(&device, sub);
        let answer = stage.connect().await.credential(&device, &token).await;
        let credential = answer.unwrap().credential;
        Self { device, credential }
    }

    /// Listens, as a signed-in agent does.
    async fn events(&self, stage: &Stage) -> Events {
        let mut client = stage.connect().await;
        let token = stage.token(&self.device, "ana");
        client.credential(&self.device, &token).await.unwrap();
        client.events().await
    }

    pub(crate) async fn step(
        &self,
        stage: &Stage,
        id: &str,
        step: Step,
    ) -> Result<Introduction, Refused> {
        take(stage, &self.device, Some(&self.credential), id, step).await
    }

    pub(crate) fn vouch(&self, stage: &Stage, key: VerifyKey) -> Step {
        Step::Approve {
            vouch: vouch(stage, "ana", key).sign(&self.device.identity),
            chain: None,
        }
    }

    pub(crate) async fn devices(
        &self,
        stage: &Stage,
        revoke: Option<&Device>,
    ) -> Result<DevicesAnswer, Refused> {
        let mut client = stage.connect().await;
        let request = DevicesRequest {
            identity: self.device.identity.verify_key(),
            proof: prove(&client.hash, &self.device.identity),
            credential: self.credential.clone(),
            revoke: revoke.map(|device| device.identity.verify_key().peer_id()),
        };
        client.post(path::DEVICES, &request).await
    }
}

fn vouch(stage: &Stage, sub: &str, key: VerifyKey) -> Vouch {
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id);
    Vouch {
        org: "acme".parse().unwrap(),
        sub: sub.parse().unwrap(),
        key,
        at: stage.now(),
        id: to_base64url(&id),
    }
}

pub(crate) async fn take(
    stage: &Stage,
    device: &Device,
    credential: Option<&String>,
    id: &str,
    step: Step,
) -> Result<Introduction, Refused> {
    let mut client = stage.connect().await;
    let request = IntroductionStep {
        identity: device.identity.verify_key(),
        proof: prove(&client.hash, &device.identity),
        credential: credential.cloned(),
        id: id.to_owned(),
        step,
    };
    client.post(path::INTRODUCTION, &request).await
}

/// The new device asks, and listens on the same connection.
pub(crate) async fn ask(stage: &Stage, device: &Device) -> (Result<Introduction, Refused>, Client) {
    ask_with(stage, device, &stage.token(device, "ana")).await
}

async fn ask_with(
    stage: &Stage,
    device: &Device,
    token: &str,
) -> (Result<Introduction, Refused>, Client) {
    let mut client = stage.connect().await;
    let (org, sub) = ("acme".parse().unwrap(), "ana".parse().unwrap());
    let request = IntroductionRequest {
        person: device.request(token, &client.hash),
        label: "ana's new laptop".into(),
        commitment: commitment(&org, &sub, &device.identity.verify_key(), &NEW),
    };
    let asked = client.post(path::INTRODUCE, &request).await;
    (asked, client)
}

async fn next(events: &mut Events) -> Vec<Introduction> {
    loop {
        let event = events.next().await.unwrap();
        if event.name == event::INTRODUCTIONS {
            return serde_json::from_str(&event.data).unwrap();
        }
    }
}

/// What a device puts on its screen, if it may.
fn words(seen: &Introduction) -> [&'static str; 6] {
    let introduced = Introduced {
        org: "acme".parse().unwrap(),
        sub: "ana".parse().unwrap(),
        newcomer: (seen.newcomer, seen.revealed.as_ref().unwrap().nonce),
        sponsor: {
            let sponsor = seen.sponsor.as_ref().unwrap();
            (sponsor.key, sponsor.nonce)
        },
    };
    assert!(introduced.opens(&seen.commitment));
    introduced.words()
}

pub(crate) fn code(answer: Result<impl Sized, Refused>) -> Option<(u16, u16)> {
    answer.err().map(|(status, code)| (status.as_u16(), code))
}

pub(crate) const OVER: Option<(u16, u16)> = Some((404, Code::IntroductionOver as u16));

#[tokio::test]
async fn a_new_device_is_let_in_by_an_old_one_and_both_hear_of_every_step() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let mut at_old = old.events(&stage).await;
    let new = Device::new();

    let (asked, client) = ask(&stage, &new).await;
    let id = asked.unwrap().id;
    let mut at_new = client.events().await;
    let seen = next(&mut at_old).await.remove(0);
    assert_eq!(
        (seen.id.as_str(), seen.label.as_str()),
        (id.as_str(), "ana's new laptop")
    );
    old.step(&stage, &id, Step::Compare { nonce: OLD })
        .await
        .unwrap();
    while next(&mut at_new).await[0].sponsor.is_none() {}
    take(&stage, &new, None, &id, Step::Reveal { nonce: NEW })
        .await
        .unwrap();
    let here = loop {
        let seen = next(&mut at_old).await.remove(0);
        if seen.revealed.is_some() {
            break seen;
        }
    };
    let there = next(&mut at_new).await.remove(0);
    assert_eq!(words(&here), words(&there));
    old.step(&stage, &id, old.vouch(&stage, here.newcomer))
        .await
        .unwrap();
    let end = next(&mut at_new).await.remove(0).end;

    assert!(
        matches!(end, Some(IntroductionEnd::Approved { .. })),
        "{end:?}"
    );
    assert_eq!(next(&mut at_old).await, []);
    let new = Old::signed_in(&stage, new, "ana").await;
    let listed = new.devices(&stage, None).await.unwrap().devices;
    assert_eq!(listed.len(), 2);
    let mine = listed
        .iter()
        .find(|device| device.label == "ana's new laptop")
        .unwrap();
    assert_eq!(
        mine.vouched_by,
        Some(old.device.identity.verify_key().peer_id())
    );
    assert!(mine.seen.is_some() && !mine.revoked);
    drop((at_old, at_new));
    stage.end().await;
}

#[tokio::test]
async fn whose_sign_in_commits_to_no_key_is_shown_so_to_the_old_device() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let mut seen = old.events(&stage).await;
    let (honest, thief) = (Device::new(), Device::new());
    // What a thief of a refreshed ID token holds: it is hers, and says nothing of any key.
    let mut claims = thief.claims(&stage.provider, "ana", &["data-science"], stage.now());
    claims.as_object_mut().unwrap().remove("nonce");

    let mut shown = Vec::new();
    let tokens = [stage.token(&honest, "ana"), stage.provider.sign(&claims)];
    for (device, token) in [&honest, &thief].into_iter().zip(tokens) {
        let (asked, _client) = ask_with(&stage, device, &token).await;
        asked.unwrap();
        let key = device.identity.verify_key();
        let all = next(&mut seen).await;
        shown.push(
            all.iter()
                .find(|one| one.newcomer == key)
                .unwrap()
                .assurance,
        );
    }

    assert_eq!(shown, [Assurance::High, Assurance::Low]);
    drop(seen);
    stage.end().await;
}

#[tokio::test]
async fn nobody_else_can_compare_reveal_or_approve() {
    let stage = Stage::new().await;
    let (ana, bob) = (Old::of(&stage, "ana").await, Old::of(&stage, "bob").await);
    let other = Old::of(&stage, "ana").await;
    let new = Device::new();
    let id = ask(&stage, &new).await.0.unwrap().id;
    let compare = || Step::Compare { nonce: OLD };

    assert_eq!(code(bob.step(&stage, &id, compare()).await), OVER);
    let stranger = take(&stage, &Device::new(), None, &id, compare()).await;
    assert_eq!(code(stranger), Some((403, Code::NotEnrolled.number())));
    let unsigned = take(&stage, &ana.device, None, &id, compare()).await;
    assert_eq!(code(unsigned), Some((403, Code::NotAdmitted.number())));
    let borrowed = take(&stage, &ana.device, Some(&other.credential), &id, compare()).await;
    assert_eq!(code(borrowed), Some((403, Code::NotAdmitted.number())));
    // Before anybody compared there is nothing to reveal or to approve.
    let early = take(&stage, &new, None, &id, Step::Reveal { nonce: NEW }).await;
    assert_eq!(code(early), OVER);
    ana.step(&stage, &id, compare()).await.unwrap();
    let key = new.identity.verify_key();
    assert_eq!(
        code(ana.step(&stage, &id, ana.vouch(&stage, key)).await),
        OVER
    );
    let second = other.step(&stage, &id, compare()).await;
    assert_eq!(
        code(second),
        Some((409, Code::IntroductionElsewhere.number()))
    );
    take(&stage, &new, None, &id, Step::Reveal { nonce: NEW })
        .await
        .unwrap();
    // The words were on Ana's first laptop, and for this key.
    assert_eq!(
        code(other.step(&stage, &id, other.vouch(&stage, key)).await),
        OVER
    );
    let another = ana.vouch(&stage, Device::new().identity.verify_key());
    assert_eq!(code(ana.step(&stage, &id, another).await), OVER);
    let for_bob = Step::Approve {
        vouch: vouch(&stage, "bob", key).sign(&ana.device.identity),
        chain: None,
    };
    assert_eq!(code(ana.step(&stage, &id, for_bob).await), OVER);
    let forged = Step::Approve {
        vouch: vouch(&stage, "ana", key).sign(&other.device.identity),
        chain: None,
    };
    assert_eq!(
        code(ana.step(&stage, &id, forged).await),
        Some((403, Code::JoinLinkBad.number()))
    );
    assert_eq!(stage.devices().await, 3);
    stage.end().await;
}

#[tokio::test]
async fn it_runs_out_and_can_be_declined_by_either() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let new = Device::new();
    let id = ask(&stage, &new).await.0.unwrap().id;

    old.step(&stage, &id, Step::Decline).await.unwrap();
    assert_eq!(
        code(old.step(&stage, &id, Step::Compare { nonce: OLD }).await),
        OVER
    );

    let id = ask(&stage, &new).await.0.unwrap().id;
    take(&stage, &new, None, &id, Step::Decline).await.unwrap();
    assert_eq!(
        code(old.step(&stage, &id, Step::Compare { nonce: OLD }).await),
        OVER
    );

    let id = ask(&stage, &new).await.0.unwrap().id;
    stage.clock.advance(LIFE);
    let old = Old::signed_in(&stage, old.device, "ana").await;
    assert_eq!(
        code(old.step(&stage, &id, Step::Compare { nonce: OLD }).await),
        OVER
    );
    stage.end().await;
}

/// Lets `new` in by `old`, all steps.
async fn let_in(stage: &Stage, old: &Old, new: Device) -> Result<Old, Refused> {
    let id = ask(stage, &new).await.0?.id;
    old.step(stage, &id, Step::Compare { nonce: OLD }).await?;
    take(stage, &new, None, &id, Step::Reveal { nonce: NEW }).await?;
    let approve = old.vouch(stage, new.identity.verify_key());
    old.step(stage, &id, approve).await?;
    Ok(Old::signed_in(stage, new, "ana").await)
}

#[tokio::test]
async fn the_chain_of_devices_has_an_end_and_one_that_was_taken_back_lets_nobody_in() {
    let stage = Stage::new().await;
    let first = Old::of(&stage, "ana").await;
    let second = let_in(&stage, &first, Device::new()).await.unwrap();
    let third = let_in(&stage, &second, Device::new()).await.unwrap();

    let fourth = let_in(&stage, &third, Device::new()).await;
    assert_eq!(
        code(fourth),
        Some((403, Code::IntroductionNotAllowed.number()))
    );

    let listed = first.devices(&stage, Some(&second.device)).await.unwrap();
    let gone: Vec<_> = listed
        .devices
        .iter()
        .filter(|device| device.revoked)
        .collect();
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].id, second.device.identity.verify_key().peer_id());
    let refused = let_in(&stage, &second, Device::new()).await;
    assert_eq!(code(refused), Some((403, Code::Revoked.number())));
    stage.end().await;
}

#[tokio::test]
async fn taking_back_one_device_again_and_again_is_one_revocation() {
    let stage = Stage::new().await;
    let old = Old::of(&stage, "ana").await;
    let lost = stage.device("ana").await;
    let mut outlet = stage.connect().await;
    let identity = &stage.org.outlet;
    outlet.outlet(identity).await.unwrap();
    let mut events = outlet.events().await;

    for _ in 0..150 {
        // However often, also while she is told to slow down.
        let _ = old.devices(&stage, Some(&lost)).await;
    }

    stage.clock.advance(600);
    let beacon = loop {
        let event = events.next().await.unwrap();
        let key = stage.public().key;
        let beacon = Beacon::verify_for(&event.data, &key, &"acme".parse().unwrap()).unwrap();
        if beacon.at.plus(5) >= stage.now() {
            break beacon;
        }
    };
    assert_eq!((beacon.epoch, beacon.floor), (1, 0));
    assert_eq!(beacon.revoked.len(), 1);
    drop(events);
    stage.end().await;
}

#[tokio::test]
async fn a_newcomer_does_not_learn_who_was_revoked() {
    let stage = Stage::new().await;
    let order = stage.org.revocation(
        "r1",
        RevokeTarget::Subject("bob".parse().unwrap()),
        stage.now(),
    );
    let request = RevokeRequest { revocation: order };
    let _: serde_json::Value = stage
        .connect()
        .await
        .post(path::REVOKE, &request)
        .await
        .unwrap();

    let (asked, client) = ask(&stage, &Device::new()).await;
    asked.unwrap();
    let mut events = client.events().await;

    let beacon = loop {
        let event = events.next().await.unwrap();
        if event.name == event::BEACON {
            break event.data;
        }
    };
    let (key, org) = (stage.public().key, "acme".parse().unwrap());
    let beacon = Beacon::verify_for(&beacon, &key, &org).unwrap();
    assert_eq!((beacon.epoch, beacon.revoked), (1, vec![]));
    drop(events);
    stage.end().await;
}

#[tokio::test]
async fn a_person_takes_back_only_devices_of_her_own() {
    let stage = Stage::new().await;
    let (ana, bob) = (Old::of(&stage, "ana").await, Old::of(&stage, "bob").await);

    let answer = ana.devices(&stage, Some(&bob.device)).await;

    assert_eq!(code(answer), OVER);
    assert!(!bob.devices(&stage, None).await.unwrap().devices[0].revoked);
    stage.end().await;
}

#[tokio::test]
async fn an_administrator_sees_a_persons_devices_and_nobody_else_does() {
    let stage = Stage::new().await;
    let ana = Old::of(&stage, "ana").await;
    let ask = async |inquiry: String| {
        let mut client = stage.connect().await;
        let answer: Result<DevicesAnswer, _> = client
            .post(path::INQUIRY, &InquiryRequest { inquiry })
            .await;
        answer
    };
    let inquiry = |at| Inquiry {
        org: "acme".parse().unwrap(),
        sub: "ana".parse().unwrap(),
        at,
    };

    let seen = ask(inquiry(stage.now()).sign(&stage.org.root))
        .await
        .unwrap();
    let forged = ask(inquiry(stage.now()).sign(&ana.device.identity)).await;
    let stale = ask(inquiry(stage.now().minus(Inquiry::LIFE + 120)).sign(&stage.org.root)).await;

    assert_eq!(seen.devices.len(), 1);
    assert_eq!(
        seen.devices[0].id,
        ana.device.identity.verify_key().peer_id()
    );
    let refused = Some((403, Code::NotAdmitted.number()));
    assert_eq!((code(forged), code(stale)), (refused, refused));
    stage.end().await;
}

#[tokio::test]
async fn a_device_that_is_in_or_not_signed_in_cannot_ask() {
    let stage = Stage::new().await;
    let old = stage.device("ana").await;
    let (again, _) = ask(&stage, &old).await;
    assert_eq!(code(again), Some((409, Code::AlreadyJoined.number())));

    let new = Device::new();
    let mut client = stage.connect().await;
    let stolen = stage.token(&old, "ana");
    let request = json!({
        "person": serde_json::to_value(new.request(&stolen, &client.hash)).unwrap(),
        "label": "x", "commitment": to_base64url(&NEW),
    });
    let answer: Result<Introduction, Refused> = client.post(path::INTRODUCE, &request).await;
    assert_eq!(
        answer.err(),
        Some((StatusCode::UNAUTHORIZED, Code::NotAdmitted.number()))
    );
    stage.end().await;
}
