//! What a keyring that is locked just then must not undo: signing out, leaving, and a join that is cancelled.
//! It opens again in every one of these stories, at the latest at the next start.

use std::sync::Arc;

use tidegate_proto::words::words;

use super::sign_in::{Scene, signed_in, signed_out};
use crate::testing::keyring::Keyring;
use crate::testing::org::name;
use crate::testing::provider::Provider;
use crate::testing::{World, acme, until};
use crate::{Action, Agent, Code, HubState, KeyHome, Problem, Secret, Snapshot};

/// Signed in, with everything in the keyring.
async fn signed_in_with(keyring: &Arc<Keyring>) -> Scene {
    let mut scene = Scene::with(Some(Arc::clone(keyring))).await;
    scene.begin().await.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    scene
}

/// The next start with the same keyring, which is open by then.
async fn again(scene: Scene, keyring: &Arc<Keyring>) -> (World, Provider, Agent) {
    scene.agent.shutdown().await;
    keyring.lock(false);
    let agent = started(&scene.world, keyring).await;
    (scene.world, scene.provider, agent)
}

#[tokio::test]
async fn a_sign_out_with_a_locked_keyring_survives_a_restart() {
    let keyring = Arc::new(Keyring::default());
    let scene = signed_in_with(&keyring).await;
    keyring.lock(true);

    scene
        .agent
        .act(Action::SignOut { org: name() })
        .await
        .unwrap();
    scene.ends_with(Code::SignOutNotConfirmed).await;
    assert!(keyring.has("acme/session") && keyring.has("acme/refresh"));
    let (_world, provider, agent) = again(scene, &keyring).await;

    provider.hears("/v1/revoke").await;
    keyring
        .until(|keyring| !keyring.has("acme/session") && !keyring.has("acme/refresh"))
        .await;
    let snapshot = until(&agent, |snapshot| acme(snapshot).hub == HubState::Connected).await;
    assert!(signed_out(&snapshot));
    agent.shutdown().await;
}

#[tokio::test]
async fn an_org_that_was_left_with_a_locked_keyring_is_forgotten_at_the_next_start() {
    let keyring = Arc::new(Keyring::default());
    let scene = signed_in_with(&keyring).await;
    keyring.lock(true);

    scene
        .agent
        .act(Action::Leave { org: name() })
        .await
        .unwrap();
    assert!(keyring.has("acme/identity"));
    let (world, provider, agent) = again(scene, &keyring).await;

    provider.hears("/v1/revoke").await;
    keyring
        .until(|keyring| {
            ["identity", "session", "refresh"]
                .iter()
                .all(|kind| !keyring.has(&format!("acme/{kind}")))
        })
        .await;
    assert!(agent.snapshot().borrow().orgs.is_empty());
    agent.shutdown().await;
    assert!(!world.config().data_dir.join("orgs/acme").exists());
}

#[tokio::test]
async fn an_org_that_is_left_just_before_the_app_quits_leaves_no_key_behind() {
    let keyring = Arc::new(Keyring::default());
    let scene = signed_in_with(&keyring).await;
    // The provider takes the goodbye and never answers it.
    scene.provider.inner.silent.send_replace(true);

    scene
        .agent
        .act(Action::Leave { org: name() })
        .await
        .unwrap();
    let before = std::time::Instant::now();
    scene.agent.shutdown().await;

    assert!(before.elapsed() < std::time::Duration::from_secs(5));
    assert!(!keyring.has("acme/identity") && !keyring.has("acme/session"));
}

/// An agent of the command line that joins while the keyring is too busy to answer.
async fn joining_in_silence() -> (World, Arc<Keyring>, Agent) {
    let (world, keyring) = (World::new().await, Arc::new(Keyring::default()));
    keyring.silence(true);
    let mut config = world.config();
    config.keyring = Some(Arc::clone(&keyring) as _);
    config.short_lived = true;
    let agent = Agent::start(config).await.unwrap();
    let link = Secret::from(world.hub.link("t1", Vec::new()));
    agent.act(Action::Join { link }).await.unwrap();
    let waits = |snapshot: &Snapshot| {
        let mut problems = snapshot.problems.iter();
        snapshot.joining && problems.any(|one| one.code == Code::KeyringSilent)
    };
    until(&agent, waits).await;
    assert!(world.hub.inner.enrolled.lock().unwrap().is_empty());
    (world, keyring, agent)
}

#[tokio::test]
async fn a_join_whose_key_must_last_waits_for_a_keyring_that_is_too_busy_to_answer() {
    let (world, keyring, agent) = joining_in_silence().await;

    keyring.silence(false);

    let snapshot = until(&agent, |snapshot| !snapshot.joining).await;
    assert_eq!(snapshot.orgs.len(), 1, "{:?}", snapshot.problems);
    keyring.until(|keyring| keyring.has("acme/identity")).await;
    let no_keyring = |one: &Problem| Code::NO_KEYRING.contains(&one.code);
    until(&agent, |snapshot| !snapshot.problems.iter().any(no_keyring)).await;
    assert_eq!(world.hub.inner.enrolled.lock().unwrap().len(), 1);
    agent.shutdown().await;
}

#[tokio::test]
async fn a_join_that_waits_for_the_keyring_can_be_cancelled_and_costs_no_ticket() {
    let (world, _keyring, agent) = joining_in_silence().await;

    agent.act(Action::CancelJoin).await.unwrap();

    let snapshot = until(&agent, |snapshot| !snapshot.joining).await;
    assert!(snapshot.orgs.is_empty());
    agent.shutdown().await;
    assert!(world.hub.inner.enrolled.lock().unwrap().is_empty());
}

/// An agent that stays, and has joined with `keyring` as it is.
async fn joined_with(keyring: &Arc<Keyring>) -> (World, Agent) {
    let world = World::new().await;
    let mut config = world.config();
    config.keyring = Some(Arc::clone(keyring) as _);
    let agent = Agent::start(config).await.unwrap();
    let link = Secret::from(world.hub.link("t1", Vec::new()));
    agent.act(Action::Join { link }).await.unwrap();
    until(&agent, |snapshot| {
        !snapshot.joining && !snapshot.orgs.is_empty()
    })
    .await;
    (world, agent)
}

/// What is said about a key that goes with the process.
fn warning(snapshot: &Snapshot) -> Option<String> {
    let mut problems = snapshot.problems.iter();
    let told = problems.find(|one| one.code == Code::KeyOnlyInMemory)?;
    Some(words(told).line())
}

#[tokio::test]
async fn a_join_whose_key_no_keyring_takes_says_what_quitting_costs_and_nothing_once_it_is_kept() {
    type Change = fn(&Keyring, bool);
    let states: [(Change, &str); 3] = [
        (Keyring::lock, "is locked"),
        (Keyring::silence, "does not answer"),
        (Keyring::take_away, "there is no keyring"),
    ];
    for (change, why) in states {
        let keyring = Arc::new(Keyring::default());
        change(&keyring, true);
        let (world, agent) = joined_with(&keyring).await;

        let snapshot = until(&agent, |snapshot| warning(snapshot).is_some()).await;
        let line = warning(&snapshot).unwrap();
        assert!(
            line.contains(why) && line.contains("new join link"),
            "{line}"
        );
        assert_eq!(snapshot.keys, KeyHome::Memory);
        assert_eq!(snapshot.problems.len(), 1, "{:?}", snapshot.problems);
        change(&keyring, false);
        agent.act(Action::LookAgain { org: None }).await.unwrap();

        keyring.until(|keyring| keyring.has("acme/identity")).await;
        let snapshot = until(&agent, |snapshot| snapshot.problems.is_empty()).await;
        assert_eq!(snapshot.keys, KeyHome::Keyring);
        agent.shutdown().await;
        let agent = started(&world, &keyring).await;
        let snapshot = until(&agent, |snapshot| acme(snapshot).hub == HubState::Connected).await;
        assert!(signed_out(&snapshot));
        assert_eq!(acme(&snapshot).problems, []);
        agent.shutdown().await;
    }
}

#[tokio::test]
async fn a_key_that_was_never_kept_costs_a_new_join_link_and_both_starts_say_so() {
    let keyring = Arc::new(Keyring::default());
    keyring.lock(true);
    let (world, agent) = joined_with(&keyring).await;
    until(&agent, |snapshot| warning(snapshot).is_some()).await;

    agent.shutdown().await;
    // A write that was under way may still reach the old one; what is played is that none did.
    let never_had_it = Arc::new(Keyring::default());
    let agent = started(&world, &never_had_it).await;

    let is_gone = |one: &Problem| one.code == Code::KeyMissing;
    let snapshot = until(&agent, |snapshot| {
        acme(snapshot).problems.iter().any(is_gone)
    })
    .await;
    let told = acme(&snapshot).problems.iter().find(|one| is_gone(one));
    let line = words(told.unwrap()).line();
    assert!(
        line.contains("when this computer joined") && line.contains("join link"),
        "{line}"
    );
    agent.shutdown().await;
}

async fn started(world: &World, keyring: &Arc<Keyring>) -> Agent {
    let mut config = world.config();
    config.keyring = Some(Arc::clone(keyring) as _);
    Agent::start(config).await.unwrap()
}
