//! What happens to doors and portals when access changes, pauses or ends.
//! The hub says what a real one would; whether it is believed is decided by real signatures.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tidegate_proto::api::event;
use tidegate_proto::statement::Promised;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::testing::hub::{Manner, Outlet};
use crate::testing::org::name;
use crate::testing::{CANARIES, World, acme, failed, state, until};
use crate::{AccountView, Action, Agent, Code, HubState, ServiceKind, ServiceState};

#[tokio::test]
async fn a_revocation_closes_everything_at_once_and_forgets_the_session() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    let revoked = world.hub.org().beacon(Some(5), world.hand.clock().now());
    world.hub.say(event::BEACON, revoked);

    assert!(program.read(&mut [0; 1]).await.is_err());
    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::RevokedByAdmin);
    assert!(matches!(
        acme(&snapshot).account,
        AccountView::SignedOut { .. }
    ));
    assert!(world.call().await.is_err());
    assert_eq!(
        agent.open(&world.echo()).await.err().unwrap().code,
        Code::RevokedByAdmin
    );
    agent.shutdown().await;
    assert!(
        !world.key_file().contains("canary-refresh")
            && !world.key_file().contains("canary-id-token")
    );
}

#[tokio::test]
async fn when_everybody_must_renew_nobody_is_signed_out_and_what_runs_goes_on() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    world.hub.inner.epoch.store(7, Ordering::SeqCst);
    let now = world.hand.clock().now();
    let floor = world.hub.org().beacon_with_floor(7, now);
    world.hub.say(event::BEACON, floor);

    world.hub.counts(|count| count.reauths >= 2).await;
    program.write_all(b"still here").await.unwrap();
    let mut echoed = [0; 10];
    program.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"still here");
    assert!(world.call().await.is_ok());
    let snapshot = agent.snapshot().borrow().clone();
    assert!(matches!(
        acme(&snapshot).account,
        AccountView::SignedIn { .. }
    ));
    assert!(failed(&snapshot).is_none());
    drop(program);
    agent.shutdown().await;
}

#[tokio::test]
async fn who_is_refused_a_moment_before_the_renewal_waits_for_it_and_is_let_in() {
    let world = World::new().await;
    let agent = world.agent().await;
    let now = world.hand.clock().now();
    let floor = world.hub.org().beacon_with_floor(7, now);
    // The outlet has heard of the floor, this laptop has not.
    world.hub.inner.outlet.send_replace(Outlet::From(7));

    let echo = world.echo();
    let (opened, ()) = tokio::join!(agent.open(&echo), async {
        world.hub.counts(|count| count.not_admitted == 1).await;
        world.hub.inner.epoch.store(7, Ordering::SeqCst);
        world.hub.say(event::BEACON, floor);
    });

    assert!(opened.is_ok(), "{:?}", opened.err());
    agent.shutdown().await;
}

#[tokio::test]
async fn who_is_refused_a_moment_before_the_news_of_a_revocation_is_told_of_it() {
    let world = World::new().await;
    let agent = world.agent().await;
    let revoked = world.hub.org().beacon(Some(5), world.hand.clock().now());
    world.hub.inner.outlet.send_replace(Outlet::From(5));

    let echo = world.echo();
    let (opened, ()) = tokio::join!(agent.open(&echo), async {
        world.hub.counts(|count| count.not_admitted == 1).await;
        world.hub.say(event::BEACON, revoked);
    });

    assert_eq!(opened.err().unwrap().code, Code::RevokedByAdmin);
    agent.shutdown().await;
}

#[tokio::test]
async fn whichever_of_two_outlets_the_relay_gives_answers_at_the_first_try() {
    let world = World::new().await;
    let agent = world.agent().await;

    for _ in 0..20 {
        let portal = agent.open(&world.echo()).await.unwrap();
        drop(portal);
    }

    agent.shutdown().await;
    world.hub.counts(|count| count.circuits == 0).await;
}

#[tokio::test]
async fn a_service_that_leaves_the_catalogue_is_closed() {
    let world = World::new().await;
    let agent = world.connected().await;

    world.hub.inner.services.lock().unwrap().clear();
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| acme(snapshot).services.is_empty()).await;
    assert_eq!(
        acme(&snapshot).problems.last().unwrap().code,
        Code::PolicyChanged
    );
    world.hub.counts(|count| count.circuits == 0).await;
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn a_running_portal_is_shown_every_new_credential() {
    let world = World::new().await;
    let agent = world.connected().await;
    let mut program = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;

    world.hub.say(event::CHANGED, String::new());

    world.hub.counts(|count| count.reauths == 1).await;
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    agent.shutdown().await;
}

#[tokio::test]
async fn a_hub_that_was_there_and_does_not_answer_is_not_said_to_be_there() {
    let world = World::new().await;
    let agent = world.connected().await;
    let asked = Instant::now();

    world.hub.inner.manner.send_replace(Manner::Silent);
    world.hub.say(event::CHANGED, String::new());

    let hub_is = |is: HubState| move |snapshot: &_| acme(snapshot).hub == is;
    let snapshot = until(&agent, hub_is(HubState::Connecting)).await;
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(state(&snapshot).is_connected(), "what runs asks no hub");
    let is_away = |snapshot: &_| matches!(acme(snapshot).hub, HubState::Away { .. });
    until(&agent, is_away).await;
    world.hub.inner.manner.send_replace(Manner::Answers);
    until(&agent, hub_is(HubState::Connected)).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn an_hour_in_a_closed_laptop_asks_for_a_new_credential_before_anything_is_opened() {
    let world = World::new().await;
    let agent = world.agent().await;
    world.hand.forward(700);

    let opened = agent.open(&world.echo()).await;

    // The clock said that the credential had run out; it was renewed first.
    assert!(opened.is_ok(), "{:?}", opened.err());
    agent.shutdown().await;
}

#[tokio::test]
async fn after_a_sleep_nothing_from_before_is_trusted() {
    let world = World::new().await;
    let agent = world.connected().await;
    let before = world.hub.count().asked;

    world.hand.forward(120);
    let mut program = world.call().await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();

    // A circuit of its own for the program, and new spares, over a new link.
    world
        .hub
        .counts(|count| count.asked >= before + 3 && count.links == 1)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn sign_out_ends_portals_that_have_no_door() {
    let world = World::new().await;
    let agent = world.agent().await;
    let mut portal = agent.open(&world.echo()).await.unwrap();

    agent.act(Action::SignOut { org: name() }).await.unwrap();

    assert!(portal.read(&mut [0; 1]).await.is_err());
    world
        .hub
        .counts(|count| count.circuits == 0 && count.links == 0)
        .await;
    agent.shutdown().await;
}

#[tokio::test]
async fn the_end_of_the_session_ends_everything() {
    let world = World::new().await;
    let agent = world.connected().await;

    world.hand.forward(13 * 3600);
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::SessionExpired);
    assert!(world.call().await.is_err());
    agent.shutdown().await;
}

#[tokio::test]
async fn a_refusal_to_renew_is_final_and_says_why() {
    let world = World::new().await;
    let agent = world.connected().await;

    *world.hub.inner.refuse.lock().unwrap() = Some(Code::NotEnrolled);
    world.hub.say(event::CHANGED, String::new());

    let snapshot = until(&agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::NotEnrolled);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_hub_that_comes_back_is_used_again() {
    let mut world = World::new().await;
    let agent = world.connected().await;

    world.hub = world.hub.restart().await;

    world.hub.counts(|count| count.circuits == 2).await;
    until(&agent, |snapshot| {
        acme(snapshot).hub == HubState::Connected && snapshot.all_problems().count() == 0
    })
    .await;
    let mut program = world.call().await.unwrap();
    program.write_all(b"x").await.unwrap();
    program.read_exact(&mut [0; 1]).await.unwrap();
    agent.shutdown().await;
}

#[tokio::test]
async fn sign_out_keeps_the_device_and_forgets_the_session() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent.act(Action::SignOut { org: name() }).await.unwrap();

    let snapshot = until(&agent, |snapshot| {
        matches!(acme(snapshot).account, AccountView::SignedOut { .. })
    })
    .await;
    assert_eq!(snapshot.orgs[0].name.as_str(), "acme");
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;
    assert_eq!(
        agent.open(&world.echo()).await.err().unwrap().code,
        Code::SignInNeeded
    );
    agent.shutdown().await;
    assert!(!world.key_file().contains("canary-refresh"));
    assert!(world.key_file().contains(CANARIES[2]));
}

#[tokio::test]
async fn leaving_forgets_the_org_and_its_key() {
    let world = World::new().await;
    let agent = world.connected().await;

    agent.act(Action::Leave { org: name() }).await.unwrap();

    assert!(agent.snapshot().borrow().orgs.is_empty());
    assert!(
        !world
            .config()
            .data_dir
            .join("orgs/acme/state.json")
            .exists()
    );
    assert_eq!(
        agent
            .act(Action::SignIn { org: name() })
            .await
            .unwrap_err()
            .code,
        Code::NotJoined
    );
    agent.shutdown().await;
    assert_eq!(world.key_file(), "{}");
}

#[tokio::test]
async fn a_lost_key_is_said_and_a_new_link_is_needed() {
    let world = World::new().await;
    world.signed_in_before();
    std::fs::remove_file(world.config().data_dir.join("keys.json")).unwrap();

    let agent = Agent::start(world.config()).await.unwrap();

    let snapshot = until(&agent, |snapshot| !acme(snapshot).problems.is_empty()).await;
    assert_eq!(acme(&snapshot).problems[0].code, Code::KeyMissing);
    assert_eq!(
        agent.signed_in(&name()).await.unwrap_err().code,
        Code::KeyMissing
    );
    agent.shutdown().await;
}

/// What a ticket named, besides what the hub lists.
fn promise(name: &str, port: u16) -> Promised {
    Promised {
        service: name.parse().unwrap(),
        kind: ServiceKind::Tcp,
        title: "From the link".into(),
        port,
    }
}

#[tokio::test]
async fn what_the_link_named_is_there_before_anybody_has_signed_in() {
    let mut world = World::new().await;
    world.promised = vec![promise("echo", world.port), promise("attic", 15999)];
    world.joined_before();

    let agent = Agent::start(world.config()).await.unwrap();

    let snapshot = until(&agent, |snapshot| acme(snapshot).services.len() == 2).await;
    let shown = acme(&snapshot);
    assert!(matches!(shown.account, AccountView::SignedOut { .. }));
    let attic = &shown.services[0];
    assert_eq!((attic.name.as_str(), attic.port), ("attic", 15999));
    assert_eq!(attic.state, ServiceState::Idle);
    assert_eq!(shown.services[1].title, "From the link");
    agent.shutdown().await;
}

#[tokio::test]
async fn the_first_catalogue_takes_the_place_of_what_the_link_named() {
    let mut world = World::new().await;
    world.promised = vec![promise("echo", world.port), promise("attic", 15999)];

    let agent = world.agent().await;

    let snapshot = until(&agent, |snapshot| !acme(snapshot).problems.is_empty()).await;
    let told = &acme(&snapshot).problems[0];
    let attic = "attic".parse().unwrap();
    assert_eq!(
        (told.code, told.facts.service.as_ref()),
        (Code::NotAvailable, Some(&attic))
    );
    assert_eq!(acme(&snapshot).services[0].title, "Echo");
    agent.shutdown().await;

    let agent = Agent::start(world.config()).await.unwrap();
    let snapshot = until(&agent, |snapshot| acme(snapshot).services.len() == 1).await;
    assert_eq!(acme(&snapshot).services[0].name.as_str(), "echo");
    agent.shutdown().await;
}
