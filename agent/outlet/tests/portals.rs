//! People who may connect: what they get, what is recorded, and what ends it.
//! Every test ends by proving that nothing is left over.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};
use support::org::{OWNER_POLICY, Org, Person};
use support::{Said, World, ana, hear, open, soon, within};
use tidegate_link::{Portal, PortalError};
use tidegate_outlet::control;
use tidegate_outlet::kill::Order;
use tidegate_proto::channel::Suite;
use tidegate_proto::event::{EventKind, PortalClosed};
use tidegate_proto::frame::{Frame, Purpose};
use tidegate_proto::problem::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn echoes(portal: &mut Portal) {
    portal.write_all(b"hello").await.unwrap();
    portal.flush().await.unwrap();
    let mut answer = [0; 5];
    within(portal.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"hello");
}

/// How the portal ended, as its program sees it, and how long that took.
async fn ending(portal: &mut Portal) -> (Option<PortalError>, Duration) {
    let begun = Instant::now();
    let error = within(portal.read_u8()).await.err().unwrap();
    (PortalError::of(&error), begun.elapsed())
}

fn closed(event: &EventKind) -> Option<PortalClosed> {
    match event {
        EventKind::PortalClosed(closed) => Some(closed.clone()),
        _ => None,
    }
}

/// Ends the portal by `act` and checks that it was over within a second, everywhere and for this reason.
async fn ends_within_a_second(
    world: &World,
    portal: &mut Portal,
    act: impl Future<Output = ()>,
    reason: Code,
) {
    act.await;
    let (ended, took) = ending(portal).await;
    assert_eq!(ended, Some(PortalError::Reset(reason.number())));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(world.event(closed).await.reason, reason);
    within(world.target.idle()).await;
}

#[tokio::test]
async fn an_admitted_person_connects_and_the_record_is_whole() {
    let world = World::start().await;
    let mut portal = world.portal(&ana()).await;

    echoes(&mut portal).await;
    portal.shutdown().await.unwrap();
    let mut rest = String::new();
    within(portal.read_to_string(&mut rest)).await.unwrap();

    assert_eq!(rest, "goodbye");
    let record = world.event(closed).await;
    assert_eq!(
        (record.sent, record.received, record.reason),
        (5, 12, Code::ClosedByProgram)
    );
    let opened = world.events().into_iter().find_map(|event| match event {
        EventKind::PortalOpened(opened) => Some(opened),
        _ => None,
    });
    let opened = opened.unwrap();
    assert_eq!(
        (opened.peer.sub.as_str(), opened.channel),
        ("00uana", record.channel)
    );
    world.end().await;
}

#[tokio::test]
async fn both_suites_are_answered() {
    let world = World::start().await;
    let mut secure = world.handshake(Suite::ChaCha20Poly1305).await;
    let auth = ana().auth(&world.org, &secure.hash).encode().unwrap();
    secure.send(&Frame::Auth(&auth)).await.unwrap();

    assert!(matches!(hear(&mut secure).await, Said::Admitted(_)));

    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_revocation_ends_a_portal_at_once_and_no_new_one_begins() {
    let world = World::start().await;
    let person = ana();
    let mut portal = world.portal(&person).await;
    echoes(&mut portal).await;

    let revoke = async { world.revoke("00uana", 1) };
    ends_within_a_second(&world, &mut portal, revoke, Code::RevokedByAdmin).await;

    let (_, said) = world.auth(&person).await;
    assert!(matches!(said, Said::Refused(code, _) if code == Code::NotAdmitted.number()));
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_revocation_is_remembered_by_a_hub_that_forgot_it() {
    let mut world = World::start().await;
    world.revoke("00uana", 5);
    world
        .event(|event| matches!(event, EventKind::Revoked { epoch: 5, .. }).then_some(()))
        .await;

    world.stop_outlet().await;
    world.start_outlet().await;

    let (_, said) = world.auth(&ana()).await;
    assert!(matches!(said, Said::Refused(..)));
    let (_, said) = world.auth(&Person { epoch: 5, ..ana() }).await;
    assert!(
        matches!(said, Said::Admitted(_)),
        "a credential from after the revocation counts"
    );
    world.end().await;
}

#[tokio::test]
async fn a_portal_ends_at_its_deadline() {
    let world = World::with(Org {
        max_session: 60,
        ..Org::new()
    })
    .await;
    let mut person = ana();
    person.claims["auth_time"] = (soon(0).0 - 58).into();
    person.claims["iat"] = (soon(0).0 - 58).into();
    let mut portal = world.portal(&person).await;
    echoes(&mut portal).await;

    let (ended, took) = ending(&mut portal).await;

    assert_eq!(ended, Some(PortalError::Reset(Code::Expired.number())));
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(world.event(closed).await.reason, Code::Expired);
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_policy_that_no_longer_permits_ends_a_portal() {
    let world = World::start().await;
    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;

    let change = async {
        std::fs::write(world.owner_policy(), "").unwrap();
        world.outlet().reload_policy().await.unwrap();
    };
    ends_within_a_second(&world, &mut portal, change, Code::PolicyChanged).await;

    std::fs::write(world.owner_policy(), OWNER_POLICY).unwrap();
    world.outlet().reload_policy().await.unwrap();
    let mut again = world.portal(&ana()).await;
    let change = async {
        world.answer("", 2);
        world.hub.say("changed", "");
    };
    change.await;
    assert_eq!(
        ending(&mut again).await.0,
        Some(PortalError::Reset(Code::PolicyChanged.number()))
    );
    drop((portal, again));
    world.end().await;
}

#[tokio::test]
async fn a_broken_owner_policy_changes_nothing_when_it_is_read_again() {
    let world = World::start().await;
    std::fs::write(world.owner_policy(), "permit (").unwrap();

    assert!(world.outlet().reload_policy().await.is_err());

    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn the_kill_switch_ends_portals_and_holds_through_a_restart() {
    let mut world = World::start().await;
    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;
    let order = Order::Kill(Some(support::org::echo()));

    let kill = async { drop(control::send(&world.data(), &order).await.unwrap()) };
    ends_within_a_second(&world, &mut portal, kill, Code::KillSwitch).await;

    world.stop_outlet().await;
    world.start_outlet().await;
    let mut killed = world.handshake(Suite::Aes256Gcm).await;
    let auth = ana().auth(&world.org, &killed.hash).encode().unwrap();
    killed.send(&Frame::Auth(&auth)).await.unwrap();
    assert!(matches!(hear(&mut killed).await, Said::Admitted(_)));
    assert_eq!(
        hear(&mut killed).await,
        Said::Reset(Code::KillSwitch.number())
    );
    assert_eq!(world.target.came(), 1);
    control::send(&world.data(), &Order::Undo(None))
        .await
        .unwrap();
    drop((portal, world.portal(&ana()).await));
    world.end().await;
}

#[tokio::test]
async fn a_shutdown_ends_portals_with_their_reason_in_time() {
    let mut world = World::start().await;
    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;
    let _warm = world.warm(&ana()).await;
    let begun = Instant::now();

    world.stop_outlet().await;

    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(
        ending(&mut portal).await.0,
        Some(PortalError::Reset(Code::OutletStopping.number()))
    );
    assert_eq!(world.event(closed).await.reason, Code::OutletStopping);
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_lost_circuit_is_never_taken_for_a_clean_end() {
    let world = World::start().await;
    let secure = {
        let mut secure = world.warm(&ana()).await;
        assert_eq!(
            open(&mut secure, 1, Purpose::Connect).await,
            Said::Opened(1)
        );
        secure
    };

    drop(secure); // the connection goes without FIN or RESET

    assert_eq!(world.event(closed).await.reason, Code::CircuitLost);
    world.end().await;
}

#[tokio::test]
async fn a_renewal_moves_the_deadline_of_a_running_portal() {
    let world = World::start().await;
    let mut person = ana();
    person.credential_ends = soon(100);
    let mut secure = world.warm(&person).await;
    let hash = secure.hash;
    assert_eq!(
        open(&mut secure, 1, Purpose::Connect).await,
        Said::Opened(1)
    );
    let mut portal = Portal::new(secure);
    let control = portal.control();

    person.credential_ends = soon(500);
    let newer = person.auth(&world.org, &hash).encode().unwrap();
    control.reauth(newer).await.unwrap();
    echoes(&mut portal).await;
    let mut deadline = control.deadline();
    let moved = tokio::select! {
        moved = deadline.wait_for(Option::is_some) => moved.unwrap().unwrap(),
        _ = portal.read_u8() => panic!("the portal ended"),
    };

    assert!(moved >= soon(700));
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn a_probe_looks_at_the_target_and_leaves_the_circuit_warm() {
    let mut world = World::start().await;
    let mut secure = world.warm(&ana()).await;

    assert_eq!(open(&mut secure, 1, Purpose::Probe).await, Said::Opened(1));
    assert_eq!(world.target.came(), 1);
    world.target.close().await;
    let begun = Instant::now();
    let Said::Refused(code, text) = open(&mut secure, 2, Purpose::Probe).await else {
        panic!()
    };
    assert_eq!(code, Code::TargetClosed.number());
    assert!(text.contains("echo"), "{text}");
    assert!(begun.elapsed() < Duration::from_millis(250));
    assert!(matches!(
        open(&mut secure, 3, Purpose::Connect).await,
        Said::Refused(..)
    ));

    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_peer_that_renews_and_does_not_read_cannot_outlive_its_revocation() {
    let world = World::start().await;
    let person = ana();
    let mut secure = world.warm(&person).await;
    let hash = secure.hash;
    assert_eq!(
        open(&mut secure, 1, Purpose::Connect).await,
        Said::Opened(1)
    );
    let renewal = person.auth(&world.org, &hash).encode().unwrap();
    let flood = Frame::Data {
        offset: 0,
        bytes: b"flood",
    };
    secure.send(&flood).await.unwrap();
    // Nobody reads from here on, so the outlet's answers to renewals have no way out.
    within(world.target.is_stuck()).await;
    for _ in 0..20 {
        secure.send(&Frame::Reauth(&renewal)).await.unwrap();
    }
    // The outlet is in the middle of answering them.
    tokio::time::sleep(Duration::from_millis(100)).await;

    let begun = Instant::now();
    world.revoke("00uana", 1);

    assert_eq!(world.event(closed).await.reason, Code::RevokedByAdmin);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    drop(secure);
    world.end().await;
}

#[tokio::test]
async fn a_restart_without_a_way_to_the_provider_still_knows_people() {
    let mut world = World::start().await;
    world.stop_outlet().await;
    world.org.provider.go_away();

    world.start_outlet().await;

    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;
    drop(portal);
    world.end().await;
}

#[tokio::test]
async fn an_outlet_that_is_dropped_without_a_shutdown_ends_its_portals() {
    let mut world = World::start().await;
    let mut portal = world.portal(&ana()).await;
    echoes(&mut portal).await;

    world.drop_outlet();

    assert!(within(portal.read_u8()).await.is_err());
    assert_eq!(world.event(closed).await.reason, Code::OutletStopping);
    drop(portal);
    world.end().await;
}
