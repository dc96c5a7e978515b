//! Records that outlets hand in, and what a person is shown of them: the person's own lines, as they were signed, and no others.
//! The outlet here is the warehouse's; its chain is made by hand, so that it can be made wrongly.

use http::StatusCode;
use tidegate_proto::{
    api::{
        RevokeAnswer, RevokeRequest, path,
        record::{HandIn, HandedIn, RecordAnswer, RecordRequest},
    },
    auth::prove,
    entropy::SystemEntropy,
    event::{Chain, Event, EventKind, Peer, PortalRefused},
    identity::SigningKey,
    problem::Code,
    statement::{Assurance, RevokeTarget, Statement},
    text::Shown,
    time::UnixTime,
};

use crate::support::{
    Stage,
    client::{Client, Device, Refused},
};

/// What the warehouse's outlet writes.
struct Ledger(Chain);

impl Ledger {
    fn new(stage: &Stage) -> Self {
        let key = stage.org.outlet.verify_key();
        Self(Chain::start(&"acme".parse().unwrap(), &key))
    }

    fn line(&mut self, stage: &Stage, what: EventKind) -> String {
        let appended = self.0.append(UnixTime(1), what, &stage.org.outlet);
        appended.line().to_owned()
    }

    fn made(&mut self, stage: &Stage, role: &str, sub: &str) -> String {
        let what = EventKind::RoleMade {
            service: "warehouse".parse().unwrap(),
            role: role.into(),
            sub: sub.parse().unwrap(),
            grant: None,
        };
        self.line(stage, what)
    }

    /// Why exactly is not for the one who was refused.
    fn refused(&mut self, stage: &Stage, device: &Device, sub: &str) -> String {
        let peer = Peer {
            sub: sub.parse().unwrap(),
            device: device.identity.verify_key().peer_id(),
            device_name: Shown::new("dev"),
            groups: Vec::new(),
            group_count: 0,
            assurance: Assurance::High,
        };
        let what = EventKind::PortalRefused(PortalRefused {
            channel: "c".into(),
            service: "warehouse".parse().unwrap(),
            code: Code::NotAdmitted,
            exact: "the owner's rule at line 7 forbids it".into(),
            peer: Some(peer),
        });
        self.line(stage, what)
    }

    fn dropped(&mut self, stage: &Stage, role: &str) -> String {
        let what = EventKind::RoleDropped {
            service: "warehouse".parse().unwrap(),
            role: role.into(),
        };
        self.line(stage, what)
    }
}

/// A connection on which the outlet has said who it is.
async fn outlet(stage: &Stage, key: &SigningKey) -> Client {
    let mut client = stage.connect().await;
    client.outlet(key).await.unwrap();
    client
}

async fn hand_in(client: &mut Client, lines: Vec<String>, anew: bool) -> Result<u64, Refused> {
    let answer: HandedIn = client.post(path::HAND_IN, &HandIn { lines, anew }).await?;
    Ok(answer.seq)
}

/// A device of this person, with a credential.
async fn signed_in(stage: &Stage, sub: &str) -> (Device, String) {
    let device = stage.device(sub).await;
    let token = stage.token(&device, sub);
    let mut client = stage.connect().await;
    let answer = client.credential(&device, &token).await.unwrap();
    (device, answer.credential)
}

async fn ask(
    stage: &Stage,
    (device, credential): &(Device, String),
    before: Option<u64>,
    most: u32,
) -> Result<RecordAnswer, Refused> {
    let mut client = stage.connect().await;
    let request = RecordRequest {
        identity: device.identity.verify_key(),
        proof: prove(&client.hash, &device.identity),
        credential: credential.clone(),
        before,
        most,
    };
    client.post(path::RECORD, &request).await
}

/// The kinds of what is shown, newest first, each verified.
fn kinds(answer: &RecordAnswer) -> Vec<String> {
    let kind = |entry: &tidegate_proto::api::record::RecordEntry| {
        let event = Event::verify(&entry.line, &entry.keeper).unwrap();
        let json = serde_json::to_value(&event.what).unwrap();
        json["kind"].as_str().unwrap().to_owned()
    };
    answer.entries.iter().map(kind).collect()
}

#[tokio::test]
async fn a_person_is_shown_what_was_recorded_of_them_here_and_at_outlets_and_nothing_of_others() {
    let stage = Stage::new().await;
    let mut ledger = Ledger::new(&stage);
    let (ana, bob) = (
        signed_in(&stage, "ana").await,
        signed_in(&stage, "bob").await,
    );
    let mut client = outlet(&stage, &stage.org.outlet).await;

    let lines = vec![
        ledger.line(
            &stage,
            EventKind::Started {
                version: "1".into(),
            },
        ),
        ledger.made(&stage, "tg_a", "ana"),
        ledger.made(&stage, "tg_b", "bob"),
        ledger.refused(&stage, &ana.0, "ana"),
        ledger.dropped(&stage, "tg_a"),
    ];
    assert_eq!(hand_in(&mut client, lines, false).await, Ok(5));

    let of_ana = ask(&stage, &ana, None, 10).await.unwrap();
    assert_eq!(
        kinds(&of_ana),
        [
            "role-dropped",
            "role-made",
            "credential-issued",
            "device-enrolled"
        ]
    );
    assert!(!of_ana.more);
    let of_bob = ask(&stage, &bob, None, 10).await.unwrap();
    assert_eq!(
        kinds(&of_bob),
        ["role-made", "credential-issued", "device-enrolled"]
    );
    stage.end().await;
}

#[tokio::test]
async fn what_is_shown_comes_in_pages_and_is_there_after_a_restart() {
    let stage = Stage::new().await;
    let mut ledger = Ledger::new(&stage);
    let ana = signed_in(&stage, "ana").await;
    let mut client = outlet(&stage, &stage.org.outlet).await;
    let lines = vec![
        ledger.made(&stage, "tg_a", "ana"),
        ledger.dropped(&stage, "tg_a"),
    ];
    hand_in(&mut client, lines, false).await.unwrap();
    drop(client);
    let stage = stage.restart().await;

    let first = ask(&stage, &ana, None, 3).await.unwrap();
    assert_eq!(
        (kinds(&first).len(), first.more),
        (3, true),
        "one is left over"
    );
    let rest = ask(&stage, &ana, Some(first.entries[2].number), 3)
        .await
        .unwrap();

    assert_eq!(kinds(&rest), ["device-enrolled"]);
    assert!(!rest.more);
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_goes_on_where_it_was_and_cannot_change_what_it_said() {
    let stage = Stage::new().await;
    let mut ledger = Ledger::new(&stage);
    let first = ledger.made(&stage, "tg_a", "ana");
    let mut client = outlet(&stage, &stage.org.outlet).await;
    assert_eq!(hand_in(&mut client, vec![], false).await, Ok(0));
    assert_eq!(hand_in(&mut client, vec![first], false).await, Ok(1));
    drop(client);
    let stage = stage.restart().await;
    let mut client = outlet(&stage, &stage.org.outlet).await;
    assert_eq!(hand_in(&mut client, vec![], false).await, Ok(1));

    let mut other = Ledger::new(&stage);
    let rewritten = vec![
        other.made(&stage, "tg_a", "bob"),
        other.dropped(&stage, "tg_a"),
    ];
    let conflict = Err((StatusCode::CONFLICT, Code::PeerBrokeProtocol.number()));
    assert_eq!(
        hand_in(&mut client, rewritten[1..].to_vec(), false).await,
        conflict
    );
    assert_eq!(
        hand_in(&mut client, rewritten[1..].to_vec(), true).await,
        conflict
    );
    assert_eq!(hand_in(&mut client, rewritten, true).await, Ok(2));

    let outlet = stage.org.outlet.verify_key().peer_id();
    let anew = EventKind::AuditBegunAnew { outlet, kept: 1 };
    assert!(stage.events().contains(&anew), "and it is on record");
    stage.end().await;
}

#[tokio::test]
async fn nobody_else_hands_in_or_asks() {
    let stage = Stage::new().await;
    let stranger = SigningKey::generate(&SystemEntropy);
    let mut ledger = Ledger::new(&stage);
    let line = vec![ledger.made(&stage, "tg_a", "ana")];
    let ana = signed_in(&stage, "ana").await;
    let refused = |code: Code| Some((StatusCode::FORBIDDEN, code.number()));

    let unproved = hand_in(&mut stage.connect().await, line.clone(), false).await;
    assert_eq!(unproved.err(), refused(Code::NotAdmitted));
    let mut person = stage.connect().await;
    let token = stage.token(&ana.0, "ana");
    person.credential(&ana.0, &token).await.unwrap();
    let by_person = hand_in(&mut person, line, false).await;
    assert_eq!(by_person.err(), refused(Code::NotAdmitted));

    let other = signed_in(&stage, "bob").await;
    let with_the_credential_of_another = ask(&stage, &(other.0, ana.1.clone()), None, 9).await;
    assert_eq!(
        with_the_credential_of_another.err(),
        refused(Code::NotAdmitted)
    );
    let unknown = Device {
        identity: stranger,
        rz: [9; 32],
    };
    let by_a_stranger = ask(&stage, &(unknown, ana.1.clone()), None, 9).await;
    assert_eq!(by_a_stranger.err(), refused(Code::NotEnrolled));
    let target = RevokeTarget::Subject("ana".parse().unwrap());
    let revocation = stage.org.revocation("r1", target, stage.now());
    let order = RevokeRequest { revocation };
    let _: RevokeAnswer = stage
        .connect()
        .await
        .post(path::REVOKE, &order)
        .await
        .unwrap();
    let revoked = ask(&stage, &ana, None, 9).await;
    assert_eq!(revoked.err(), refused(Code::Revoked));
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_cannot_show_one_person_what_is_about_another() {
    let stage = Stage::new().await;
    let mut ledger = Ledger::new(&stage);
    let (ana, bob) = (
        signed_in(&stage, "ana").await,
        signed_in(&stage, "bob").await,
    );
    let mut client = outlet(&stage, &stage.org.outlet).await;
    let claim = EventKind::DeviceEnrolled {
        sub: "bob".parse().unwrap(),
        device: ana.0.identity.verify_key().peer_id(),
        ticket: "t".into(),
    };

    let claim = ledger.line(&stage, claim);
    hand_in(&mut client, vec![claim], false).await.unwrap();
    let before = ask(&stage, &bob, None, 50).await.unwrap().entries.len();
    let token = stage.token(&ana.0, "ana");
    let mut person = stage.connect().await;
    person.credential(&ana.0, &token).await.unwrap();

    let after = ask(&stage, &bob, None, 50).await.unwrap().entries.len();
    assert_eq!(after, before, "what ana did is not bob's to see");
    stage.end().await;
}
