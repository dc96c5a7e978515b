//! Signing in while signed in: the new session takes the place of the old one, and nothing that runs notices.
//! A newcomer would sign out first: that ends every connection, which is what people complain about.

use tidegate_proto::api::event;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::sign_in::{Scene, again, echoes, signed_in, signed_out, waiting};
use crate::testing::org::name;
use crate::testing::{acme, state, until};
use crate::{AccountView, Action, Agent, Code, Snapshot, UnixTime};

/// When the browser is needed again.
fn ends(snapshot: &Snapshot) -> Option<UnixTime> {
    match &acme(snapshot).account {
        AccountView::SignedIn { until, .. } => Some(*until),
        _ => None,
    }
}

/// The program that is inside, before anything else happens.
async fn inside() -> (Scene, TcpStream, UnixTime) {
    let scene = Scene::connected().await;
    let mut program = scene.world.call().await.unwrap();
    echoes(&mut program).await;
    let before = ends(&scene.agent.snapshot().borrow()).unwrap();
    (scene, program, before)
}

#[tokio::test]
async fn signing_in_while_signed_in_moves_the_end_on_and_the_program_inside_notices_nothing() {
    let (mut scene, mut program, before) = inside().await;
    scene.world.hand.forward(5);

    let page = scene.begin().await;
    assert!(state(&scene.agent.snapshot().borrow()).is_connected());
    let shown = scene.world.hub.count().reauths;
    let tab = page.sign_in(&scene.provider).await;

    assert!(tab.contains("You are signed in"), "{tab}");
    let snapshot = until(&scene.agent, |snapshot| ends(snapshot) > Some(before)).await;
    assert!(again(&snapshot).is_none());
    scene.world.hub.counts(|count| count.reauths > shown).await;
    echoes(&mut program).await;
    let snapshot = scene.agent.snapshot().borrow().clone();
    assert!(state(&snapshot).is_connected() && acme(&snapshot).problems.is_empty());

    // It is the new session that is refreshed, and that the next start finds.
    let shown = scene.world.hub.count().reauths;
    scene.world.hand.forward(500);
    scene.world.hub.say(event::CHANGED, String::new());
    scene.world.hub.counts(|count| count.reauths > shown).await;
    echoes(&mut program).await;
    drop(program);
    scene.agent.shutdown().await;
    let agent = Agent::start(scene.world.config()).await.unwrap();
    let snapshot = until(&agent, signed_in).await;
    assert!(ends(&snapshot) > Some(before));
    agent.shutdown().await;
}

#[tokio::test]
async fn a_second_sign_in_that_is_given_up_leaves_the_first_one_as_it_was() {
    let (mut scene, mut program, before) = inside().await;
    let page = scene.begin().await;

    let org = name();
    scene.agent.act(Action::CancelSignIn { org }).await.unwrap();

    let snapshot = until(&scene.agent, |snapshot| again(snapshot).is_none()).await;
    assert_eq!(ends(&snapshot), Some(before));
    assert!(acme(&snapshot).problems.is_empty());
    let late = page.sign_in(&scene.provider).await;
    assert!(late.contains("Sign-in cancelled"), "{late}");
    echoes(&mut program).await;
    drop(program);
    scene.close().await;
}

#[tokio::test]
async fn whoever_is_signing_in_when_the_session_ends_goes_on_with_it() {
    let (mut scene, mut program, _) = inside().await;
    let page = scene.begin().await;

    *scene.world.hub.inner.refuse.lock().unwrap() = Some(Code::SessionExpired);
    scene.world.hub.say(event::CHANGED, String::new());

    let ended = |snapshot: &Snapshot| {
        let mut problems = acme(snapshot).problems.iter();
        problems.any(|one| one.code == Code::SessionExpired)
    };
    let snapshot = until(&scene.agent, ended).await;
    assert!(waiting(&snapshot).is_some() && !signed_out(&snapshot));
    assert_eq!(program.read(&mut [0; 1]).await.unwrap_or(0), 0);
    *scene.world.hub.inner.refuse.lock().unwrap() = None;
    let tab = page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    assert!(tab.contains("You are signed in"), "{tab}");
    scene.close().await;
}
