//! What users of other tools complain of, played on a whole agent: each test is a row of `tests/peers.toml`.
//! A newcomer would look for a fix in here: there is none. These are other people's years, kept as questions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_proto::api::event;
use tidegate_proto::statement::IdpStatement;

use super::sign_in::{Scene, echoes, signed_in, signed_out};
use crate::testing::hub::{Manner, Outlet};
use crate::testing::keyring::Keyring;
use crate::testing::org::name;
use crate::testing::{World, acme, failed, state, until};
use crate::{Action, Agent, Code, HubState, Problem, ServiceState, Snapshot};

#[tokio::test]
async fn connect_after_the_end_of_a_session_signs_in_again_and_opens() {
    let mut scene = Scene::new().await;
    let short = IdpStatement {
        max_session: 900,
        ..scene.provider.settings()
    };
    *scene.world.hub.inner.idp.lock().unwrap() = short;
    let connected =
        |snapshot: &Snapshot| !acme(snapshot).services.is_empty() && state(snapshot).is_connected();
    scene.begin().await.sign_in(&scene.provider).await;
    for again in [false, true] {
        let service = scene.world.echo();
        scene.agent.act(Action::Connect { service }).await.unwrap();
        if again {
            scene.page().await.sign_in(&scene.provider).await;
        }
        until(&scene.agent, connected).await;
        echoes(&mut scene.world.call().await.unwrap()).await;

        scene.world.hand.forward(1_000);
        scene.world.hub.say(event::CHANGED, String::new());
        let over = until(&scene.agent, |snapshot| failed(snapshot).is_some()).await;
        assert_eq!(failed(&over).unwrap().code, Code::SessionExpired);
    }
    scene.close().await;
}

#[tokio::test]
async fn after_a_sleep_without_a_hub_disconnect_answers_at_once() {
    let world = World::new().await;
    let agent = world.connected().await;
    let inside = world.call().await.unwrap();
    world.hub.counts(|count| count.portals == 1).await;
    world.hub.inner.manner.send_replace(Manner::Silent);
    world.hub.inner.outlet.send_replace(Outlet::Silent);
    world.hand.forward(120);

    let began = Instant::now();
    let service = world.echo();
    agent.act(Action::Disconnect { service }).await.unwrap();
    until(&agent, |snapshot| *state(snapshot) == ServiceState::Idle).await;

    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(world.call().await.is_err());
    drop(inside);
    agent.shutdown().await;
}

#[tokio::test]
async fn who_signs_in_with_a_locked_keyring_is_told_what_a_restart_costs_and_keeps_the_key() {
    let keyring = Arc::new(Keyring::default());
    let mut scene = Scene::with(Some(Arc::clone(&keyring))).await;
    let page = scene.begin().await;
    keyring.lock(true);

    page.sign_in(&scene.provider).await;

    let is_said = |problem: &Problem| problem.code == Code::KeyringLocked;
    until(&scene.agent, |snapshot| {
        signed_in(snapshot) && snapshot.all_problems().any(is_said)
    })
    .await;
    assert!(!keyring.has("acme/session") && !keyring.has("acme/refresh"));
    scene.agent.shutdown().await;
    keyring.lock(false);
    let mut config = scene.world.config();
    config.keyring = Some(Arc::clone(&keyring) as _);
    let again = Agent::start(config).await.unwrap();
    let snapshot = until(&again, |snapshot| acme(snapshot).hub == HubState::Connected).await;
    assert!(signed_out(&snapshot));
    assert_eq!(snapshot.all_problems().count(), 0);
    assert!(keyring.has("acme/identity"));
    again.shutdown().await;
}

#[tokio::test]
async fn of_two_programs_the_one_that_breaks_off_takes_nothing_from_the_other() {
    let world = World::new().await;
    let agent = world.connected().await;
    let (broken, mut other) = (world.call().await.unwrap(), world.call().await.unwrap());
    let before = world.hub.counts(|count| count.portals == 2).await;

    tidegate_link::abort(broken);

    world
        .hub
        .counts(|count| count.portals == 1 && count.circuits < before.circuits + 1)
        .await;
    echoes(&mut other).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn five_programs_at_once_need_one_sign_in_and_one_page() {
    let mut scene = Scene::connected().await;
    scene
        .agent
        .act(Action::SignOut { org: name() })
        .await
        .unwrap();
    until(&scene.agent, signed_out).await;
    let service = scene.world.echo();
    scene.agent.act(Action::Connect { service }).await.unwrap();
    let page = scene.page().await;

    let mut programs = Vec::new();
    for _ in 0..5 {
        programs.extend(scene.world.call().await.ok());
    }
    page.sign_in(&scene.provider).await;
    until(&scene.agent, |snapshot| state(snapshot).is_connected()).await;
    while programs.len() < 5 {
        programs.push(scene.world.call().await.unwrap());
    }

    for program in &mut programs {
        echoes(program).await;
    }
    assert!(scene.no_page(), "a second page was opened");
    scene.close().await;
}
