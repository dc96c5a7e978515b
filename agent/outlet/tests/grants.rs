//! Access that was asked for, at a real outlet: it opens, its clock survives a crash, and it ends when its time or a person says so.
//! The authority is pretended; requests, approvals and their seals are signed for real, and the outlet checks them itself.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::org::{Person, echo, org};
use support::{HangingDisk, Said, World, ana, hear, open, with_one_disk, within};
use tidegate_link::{Portal, PortalError, Secure, now};
use tidegate_proto::api::access::{FirstUse, GrantNews, TakenBack};
use tidegate_proto::channel::Suite;
use tidegate_proto::event::EventKind;
use tidegate_proto::frame::{Frame, Open, Purpose, Resume};
use tidegate_proto::grant::{Approval, Grant};
use tidegate_proto::problem::Code;
use tidegate_proto::statement::{
    AccessRequest, Extent, GrantId, GrantStatement, Seal, Statement, StatementHash,
};
use tidegate_proto::time::UnixTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ASKING: &str = r#"
    permit (principal in Tidegate::Group::"acme/data-science", action == Tidegate::Action::"request", resource);
    permit (principal in Tidegate::Group::"acme/data-owners", action == Tidegate::Action::"approve", resource);
    permit (principal, action == Tidegate::Action::"connect", resource) when { context has grant };
"#;
const MINUTE: Extent = Extent {
    seconds: 60,
    read_only: false,
};
const LONGER: Extent = Extent {
    seconds: 120,
    ..MINUTE
};

/// That this one's clock runs, and that it was written down.
fn clock_runs(id: GrantId) -> impl Fn(&EventKind) -> Option<()> {
    move |event| matches!(event, EventKind::GrantUsed { grant } if *grant == id).then_some(())
}

async fn asking() -> World {
    let mut world = World::without_outlet(support::org::Org::new()).await;
    std::fs::write(world.owner_policy(), ASKING).unwrap();
    world.answer(ASKING, 2);
    world.start_outlet().await;
    world
}

fn ben() -> Person {
    Person::new("00uben", "data-owners")
}

fn seal(world: &World, statement: &str, at: UnixTime) -> String {
    let seal = Seal {
        org: org(),
        of: StatementHash::of(statement),
        at,
        index: 1,
    };
    seal.sign(&world.org.authority)
}

/// What `asker` asked for, approved by `approver`.
fn grant(world: &World, asker: &Person, approver: &Person, extent: Extent) -> Grant {
    let at = now();
    let request = AccessRequest {
        org: org(),
        sub: asker.sub.parse().unwrap(),
        device: asker.identity.verify_key().peer_id(),
        service: echo(),
        extent,
        reason: "INC-42".into(),
        emergency: false,
        extends: None,
        at,
        id: format!("r{}", extent.seconds),
    };
    let request = request.sign(&asker.identity);
    let approval = GrantStatement {
        org: org(),
        request: StatementHash::of(&request),
        extent,
        at,
        id: "g1".into(),
    };
    let approval = approval.sign(&approver.identity);
    let hash = tidegate_proto::channel::HandshakeHash([0; 32]);
    Grant {
        seal: seal(world, &request, at),
        approvals: vec![Approval {
            legs: approver.auth(&world.org, &hash).legs(),
            seal: seal(world, &approval, at),
            grant: approval,
        }],
        request,
    }
}

async fn presented(world: &World, person: &Person, grant: &Grant) -> Secure {
    let mut secure = world.handshake(Suite::Aes256Gcm).await;
    let mut auth = person.auth(&world.org, &secure.hash);
    auth.grant = Some(grant.clone());
    secure
        .send(&Frame::Auth(&auth.encode().unwrap()))
        .await
        .unwrap();
    let said = hear(&mut secure).await;
    assert!(matches!(said, Said::Admitted(_)), "{said:?}");
    secure
}

async fn open_under(secure: &mut Secure, portal: u64, grant: &Grant) -> Said {
    let open = Open {
        portal,
        process: 9,
        purpose: Purpose::Connect,
        grant: Some(grant.id().0),
        first: &[],
    };
    secure.send(&Frame::Open(open)).await.unwrap();
    hear(secure).await
}

async fn portal(world: &World, person: &Person, grant: &Grant) -> Portal {
    let mut secure = presented(world, person, grant).await;
    assert_eq!(open_under(&mut secure, 1, grant).await, Said::Opened(1));
    let id = grant.id().to_string();
    assert!(kept(world).contains(&id), "on disk before it is answered");
    Portal::new(secure)
}

fn tell(world: &World, news: &GrantNews) {
    let data = serde_json::to_string(news).unwrap();
    world.hub.say("grants", &data);
}

fn used(grant: &Grant, at: UnixTime) -> GrantNews {
    GrantNews {
        used: vec![FirstUse {
            grant: grant.id(),
            at,
            until: at.plus(90_000),
        }],
        taken_back: vec![],
    }
}

fn deadlines(world: &World) -> Vec<UnixTime> {
    let deadline = |event: &EventKind| match event {
        EventKind::PortalOpened(opened) => Some(opened.deadline),
        _ => None,
    };
    world.events().iter().filter_map(deadline).collect()
}

/// Waits until the outlet hears what the hub says.
async fn listens(world: &World) {
    let mut listening = world.hub.inner.listening.subscribe();
    within(listening.wait_for(|open| *open == 1)).await.unwrap();
}

/// Says it once, and sees how the portal ends; gives back how long that took.
async fn ends_with(world: &World, portal: &mut Portal, code: u16, say: impl Fn()) -> Duration {
    listens(world).await;
    let said = Instant::now();
    say();
    let read = within(portal.read(&mut [0])).await;
    assert!(read.is_err(), "a clean end");
    let ended = portal.control().ended();
    assert_eq!(ended, Some(PortalError::Reset(code)));
    said.elapsed()
}

fn taken_back(grant: &Grant) -> GrantNews {
    GrantNews {
        used: vec![],
        taken_back: vec![TakenBack {
            grant: grant.id(),
            until: now(),
        }],
    }
}

fn kept(world: &World) -> String {
    std::fs::read_to_string(world.data().join("known.json")).unwrap_or_default()
}

#[tokio::test]
async fn who_asked_and_was_approved_gets_in_and_nobody_else() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);

    let mut plain = world.warm(&ana).await;
    let Said::Refused(code, text) = open(&mut plain, 1, Purpose::Connect).await else {
        panic!("let in without asking")
    };
    assert_eq!(code, 2020, "{text}");

    let mut portal = portal(&world, &ana, &grant).await;
    portal.write_all(b"ping").await.unwrap();
    let mut back = [0; 4];
    within(portal.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"ping");

    let noted = world.event(|event| match event {
        EventKind::PortalOpened(opened) => opened.grant.clone(),
        _ => None,
    });
    let noted = noted.await;
    assert_eq!(noted.id, grant.id());
    assert_eq!(noted.approvers, ["00uben".parse().unwrap()]);
    world
        .event(|event| matches!(event, EventKind::GrantUsed { .. }).then_some(()))
        .await;

    // Eve has the very same grant, and a right to ask of her own.
    let eve = Person::new("00ueve", "data-science");
    let mut secure = world.handshake(Suite::Aes256Gcm).await;
    let mut auth = eve.auth(&world.org, &secure.hash);
    auth.grant = Some(grant.clone());
    let auth = auth.encode().unwrap();
    secure.send(&Frame::Auth(&auth)).await.unwrap();
    let said = hear(&mut secure).await;
    assert!(matches!(said, Said::Refused(2005, _)), "{said:?}");

    drop((portal, plain, secure));
    world.end().await;
}

#[tokio::test]
async fn the_time_that_was_approved_ends_a_running_portal_and_says_so() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let mut portal = portal(&world, &ana, &grant).await;

    // Another outlet saw it first, so only two seconds are left.
    let news = used(&grant, now().minus(58));

    ends_with(&world, &mut portal, 7020, || tell(&world, &news)).await;
    let mut late = presented(&world, &ana, &grant).await;
    let said = open_under(&mut late, 1, &grant).await;
    assert!(matches!(said, Said::Refused(2021, _)), "{said:?}");
    drop((portal, late));
    world.end().await;
}

#[tokio::test]
async fn what_is_taken_back_ends_at_once_and_stays_so_through_a_crash() {
    let mut world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let mut portal = portal(&world, &ana, &grant).await;

    let news = taken_back(&grant);
    let took = ends_with(&world, &mut portal, 7021, || tell(&world, &news)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    world
        .event(|event| matches!(event, EventKind::GrantTakenBack { .. }).then_some(()))
        .await;
    drop(portal);
    world.drop_outlet();
    world.start_outlet().await;
    let mut again = presented(&world, &ana, &grant).await;
    let said = open_under(&mut again, 1, &grant).await;
    assert!(matches!(said, Said::Refused(2022, _)), "{said:?}");
    drop(again);
    world.end().await;
}

#[tokio::test]
async fn a_crash_does_not_start_the_clock_again_and_the_authority_hears_of_the_first_use() {
    let mut world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let first = portal(&world, &ana, &grant).await;
    let mut told = world.hub.inner.used.subscribe();
    let heard = within(told.wait_for(|used| !used.is_empty())).await;
    let heard = heard.unwrap().clone();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].grant, grant.id());
    drop(first);

    // Two seconds later somebody pulls the plug.
    within(async {
        while now() < heard[0].at.plus(2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    world.drop_outlet();
    world.start_outlet().await;
    let second = portal(&world, &ana, &grant).await;

    let deadlines = deadlines(&world);
    assert_eq!(deadlines.len(), 2);
    assert_eq!(deadlines[1], heard[0].at.plus(60), "the first one's");
    drop(second);
    world.end().await;
}

#[tokio::test]
async fn an_approver_who_is_shut_out_takes_what_they_approved_with_them() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let mut portal = portal(&world, &ana, &grant).await;

    let took = ends_with(&world, &mut portal, 7021, || world.revoke("00uben", 1)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn read_only_is_refused_where_nothing_would_hold_anybody_to_it() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let read_only = Extent {
        read_only: true,
        ..MINUTE
    };
    let grant = grant(&world, &ana, &ben, read_only);

    let mut secure = presented(&world, &ana, &grant).await;
    let said = open_under(&mut secure, 1, &grant).await;

    assert!(matches!(said, Said::Refused(2023, _)), "{said:?}");
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_probe_starts_no_clock() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let mut secure = presented(&world, &ana, &grant).await;

    let probe = Open {
        portal: 1,
        process: 9,
        purpose: Purpose::Probe,
        grant: Some(grant.id().0),
        first: &[],
    };
    secure.send(&Frame::Open(probe)).await.unwrap();

    assert_eq!(hear(&mut secure).await, Said::Opened(1));
    drop(secure);
    assert!(!kept(&world).contains(&grant.id().to_string()));
    world.end().await;
}

#[tokio::test]
async fn a_first_use_that_cannot_be_written_down_is_none() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let grant = grant(&world, &ana, &ben, MINUTE);
    let mut secure = presented(&world, &ana, &grant).await;
    // A full or broken disk: nothing can take the place of what was kept.
    let file = world.data().join("known.json");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in-the-way")).unwrap();

    let said = open_under(&mut secure, 1, &grant).await;
    let full = Code::NotRecorded.number();
    assert!(
        matches!(said, Said::Refused(code, _) if code == full),
        "{said:?}"
    );
    assert!(world.hub.inner.used.borrow().is_empty());

    // Nothing was used up: her minute begins when it can be kept.
    std::fs::remove_dir_all(&file).unwrap();
    let before = now();
    assert_eq!(open_under(&mut secure, 2, &grant).await, Said::Opened(2));
    let second = |event: &EventKind| match event {
        EventKind::PortalOpened(opened) if opened.portal == 2 => Some(opened.deadline),
        _ => None,
    };
    assert!(world.event(second).await >= before.plus(60));
    assert!(kept(&world).contains(&grant.id().to_string()));
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_longer_grant_that_a_renewal_brings_has_a_clock_of_its_own() {
    let mut world = asking().await;
    let (ana, ben) = (ana(), ben());
    let first = grant(&world, &ana, &ben, MINUTE);
    let second = grant(&world, &ana, &ben, LONGER);
    let secure = {
        let mut secure = presented(&world, &ana, &first).await;
        assert_eq!(open_under(&mut secure, 1, &first).await, Said::Opened(1));
        secure
    };
    let mut newer = ana.auth(&world.org, &secure.hash);
    newer.grant = Some(second.clone());
    let portal = Portal::new(secure);
    let control = portal.control();
    let reading = tokio::spawn(async move {
        let mut portal = portal;
        let _ = portal.read(&mut [0]).await;
    });

    control.reauth(newer.encode().unwrap()).await.unwrap();

    let (id, before) = (second.id(), now());
    world.event(clock_runs(id)).await;
    reading.abort();
    let _ = reading.await;
    world.drop_outlet();
    assert!(kept(&world).contains(&id.to_string()));
    world.start_outlet().await;
    within(async {
        while now() < before.plus(2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    drop(self::portal(&world, &ana, &second).await);
    let under_it = |event: &EventKind| match event {
        EventKind::PortalOpened(opened) => {
            let used = opened.grant.as_ref().filter(|used| used.id == id);
            used.map(|_| opened.deadline)
        }
        _ => None,
    };
    let end = world.event(under_it).await;
    assert!(end < now().plus(120), "its time ran on: {end:?}");
    world.end().await;
}

#[tokio::test]
async fn however_many_are_used_what_is_taken_back_ends_at_once() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let mut last = None;
    for seconds in 0..10 {
        drop(last.take());
        let extent = Extent {
            seconds: 60 + seconds,
            ..MINUTE
        };
        let grant = grant(&world, &ana, &ben, extent);
        last = Some((portal(&world, &ana, &grant).await, grant));
    }
    let (mut portal, grant) = last.unwrap();
    let mut told = world.hub.inner.used.subscribe();
    within(told.wait_for(|used| used.len() == 10))
        .await
        .unwrap();

    let news = taken_back(&grant);
    let took = ends_with(&world, &mut portal, 7021, || tell(&world, &news)).await;

    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(portal);
    world.end().await;
}

/// Opens a portal that is kept, under `grant`; gives the outlet's instance.
async fn kept_portal(secure: &mut Secure, grant: &Grant) -> [u8; 16] {
    let open = Open {
        portal: 1,
        process: 9,
        purpose: Purpose::Resumable,
        grant: Some(grant.id().0),
        first: &[],
    };
    secure.send(&Frame::Open(open)).await.unwrap();
    match hear(secure).await {
        Said::Berth(1, instance) => instance,
        other => panic!("{other:?}"),
    }
}

/// Takes what comes until the outlet has the largest window there is. From then on it fills every buffer on the way.
async fn widen(secure: &mut Secure) -> u64 {
    loop {
        let record = secure.recv().await.unwrap();
        match record.frame() {
            Frame::Data { offset, bytes } => {
                let offset = offset + bytes.len() as u64;
                secure.send(&Frame::Ack { offset }).await.unwrap();
                if offset > 80_000_000 {
                    return offset;
                }
            }
            Frame::Window { .. } | Frame::Ack { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn whoever_comes_while_a_renewal_is_judged_does_not_stop_its_clock() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let first = grant(&world, &ana, &ben, MINUTE);
    let second = grant(&world, &ana, &ben, LONGER);
    let mut secure = presented(&world, &ana, &first).await;
    let instance = kept_portal(&mut secure, &first).await;
    let (offset, bytes) = (0, b"flood".as_slice());
    secure.send(&Frame::Data { offset, bytes }).await.unwrap();
    within(widen(&mut secure)).await;
    within(world.target.is_stuck()).await;
    let mut comers = [
        presented(&world, &ana, &second).await,
        presented(&world, &ana, &second).await,
    ];

    // Nothing can be said to her now; meanwhile somebody comes who is turned away.
    let mut auth = ana.auth(&world.org, &secure.hash);
    auth.grant = Some(second.clone());
    let auth = auth.encode().unwrap();
    secure.send(&Frame::Reauth(&auth)).await.unwrap();
    for (generation, comer) in (1..).zip(&mut comers) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let resume = Resume {
            instance,
            portal: 1,
            generation,
            received: u64::MAX,
        };
        comer.send(&Frame::Resume(resume)).await.unwrap();
        assert!(matches!(hear(comer).await, Said::Refused(1005, _)));
    }

    world.event(clock_runs(second.id())).await;
    assert!(kept(&world).contains(&second.id().to_string()));
    drop((secure, comers));
    world.end().await;
}

#[tokio::test]
async fn a_portal_goes_on_under_a_newer_grant_whose_clock_runs_before() {
    let world = asking().await;
    let (ana, ben) = (ana(), ben());
    let first = grant(&world, &ana, &ben, MINUTE);
    let second = grant(&world, &ana, &ben, LONGER);
    let mut secure = presented(&world, &ana, &first).await;
    let instance = kept_portal(&mut secure, &first).await;
    drop(secure);

    let resume = |generation| Resume {
        instance,
        portal: 1,
        generation,
        received: 0,
    };
    let mut plain = world.warm(&ana).await;
    plain.send(&Frame::Resume(resume(1))).await.unwrap();
    assert!(
        matches!(hear(&mut plain).await, Said::Refused(..)),
        "without one"
    );
    let mut comer = presented(&world, &ana, &second).await;
    comer.send(&Frame::Resume(resume(2))).await.unwrap();

    assert_eq!(hear(&mut comer).await, Said::Resumed(0));
    assert!(
        kept(&world).contains(&second.id().to_string()),
        "on disk before it is answered"
    );
    let resumed = |event: &EventKind| match event {
        EventKind::PortalResumed(resumed) => resumed.grant.as_ref().map(|grant| grant.id),
        _ => None,
    };
    assert_eq!(world.event(resumed).await, second.id());
    drop((plain, comer));
    world.end().await;
}

#[test]
fn a_clock_that_waits_for_the_disk_keeps_no_revocation_waiting_and_starts_all_the_same() {
    with_one_disk(async {
        let world = asking().await;
        let (ana, ben) = (ana(), ben());
        let first = grant(&world, &ana, &ben, MINUTE);
        let second = grant(&world, &ana, &ben, LONGER);
        let mut secure = presented(&world, &ana, &first).await;
        assert_eq!(open_under(&mut secure, 1, &first).await, Said::Opened(1));
        let mut auth = ana.auth(&world.org, &secure.hash);
        auth.grant = Some(second.clone());
        let auth = auth.encode().unwrap();

        let disk = HangingDisk::new();
        secure.send(&Frame::Reauth(&auth)).await.unwrap();
        // Nothing shows that the outlet is waiting.
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.revoke("00uana", 1);
        let ended = tokio::time::timeout(Duration::from_secs(1), world.target.idle());
        ended.await.expect("nobody looked meanwhile");
        let code = Code::RevokedByAdmin.number();
        assert_eq!(hear(&mut secure).await, Said::Reset(code));
        drop(disk);

        world.event(clock_runs(second.id())).await;
        drop(secure);
        world.end().await;
    });
}
