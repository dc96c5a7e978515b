//! Signing in with a code, for a computer without a browser: shown, waited for, cancelled, run out.
//! What such a sign-in may do is decided by policies elsewhere; here it only has to come about.

use std::sync::Arc;

use super::sign_in::{Scene, signed_in, signed_out, waiting};
use crate::testing::hub::Outlet;
use crate::testing::keyring::Keyring;
use crate::testing::org::name;
use crate::testing::{failed, until};
use crate::{Action, Code, SignInStep};

/// The code as the snapshot shows it.
async fn shown(scene: &Scene) -> crate::SignInCode {
    scene
        .agent
        .act(Action::SignInWithCode { org: name() })
        .await
        .unwrap();
    let snapshot = until(&scene.agent, |snapshot| {
        waiting(snapshot).is_some_and(|at| at.code.is_some())
    })
    .await;
    let at = waiting(&snapshot).unwrap();
    assert_eq!(at.step, SignInStep::WaitingForCode);
    at.code.clone().unwrap()
}

#[tokio::test]
async fn the_code_is_shown_until_somebody_has_typed_it_elsewhere() {
    let scene = Scene::new().await;

    let code = shown(&scene).await;
    scene.provider.inner.code.send_replace(None);

    until(&scene.agent, signed_in).await;
    assert_eq!(code.code, "WDJB-MJHT");
    assert!(code.address.ends_with("/activate"));
    assert!(
        code.whole_address
            .unwrap()
            .ends_with("?user_code=WDJB-MJHT")
    );
    let form = scene.provider.form("/v1/device/authorize").unwrap();
    assert_eq!(form["scope"], "openid groups email offline_access");
    scene.close().await;
}

#[tokio::test]
async fn groups_are_asked_for_only_where_the_provider_knows_such_a_scope() {
    let scene = Scene::new().await;
    let custom = vec!["openid", "email", "offline_access"];
    let own = [&custom[..], &["groups"]].concat();
    for (listed, asked) in [
        (custom, "openid email offline_access"),
        (own, "openid groups email offline_access"),
    ] {
        scene.provider.inner.scopes.send_replace(Some(listed));

        shown(&scene).await;

        let form = scene.provider.form("/v1/device/authorize").unwrap();
        assert_eq!(form["scope"], asked);
        let cancel = Action::CancelSignIn { org: name() };
        scene.agent.act(cancel).await.unwrap();
        until(&scene.agent, signed_out).await;
    }
    scene.close().await;
}

#[tokio::test]
async fn a_code_can_be_cancelled_and_a_new_one_asked_for() {
    let scene = Scene::new().await;
    shown(&scene).await;

    scene
        .agent
        .act(Action::CancelSignIn { org: name() })
        .await
        .unwrap();
    assert!(signed_out(&scene.agent.snapshot().borrow()));

    shown(&scene).await;
    scene.provider.inner.code.send_replace(None);
    until(&scene.agent, signed_in).await;
    scene.close().await;
}

#[tokio::test]
async fn a_code_that_is_cancelled_while_it_is_kept_leaves_nothing_in_the_keyring() {
    let keyring = Arc::new(Keyring::default());
    let scene = Scene::with(Some(Arc::clone(&keyring))).await;
    shown(&scene).await;
    let held = keyring.hold();
    scene.provider.inner.code.send_replace(None);
    keyring.is_written_to().await;

    scene
        .agent
        .act(Action::CancelSignIn { org: name() })
        .await
        .unwrap();
    drop(held);

    // Written, because nobody stops a write half way, and then forgotten.
    scene.provider.hears("/v1/revoke").await;
    keyring
        .until(|keyring| !keyring.has("acme/refresh") && !keyring.has("acme/session"))
        .await;
    assert!(signed_out(&scene.agent.snapshot().borrow()));
    scene.close().await;
}

#[tokio::test]
async fn every_end_of_a_code_has_its_sentence() {
    let scene = Scene::new().await;
    for (error, code) in [
        ("access_denied", Code::SignInDeclined),
        ("expired_token", Code::SignInCodeExpired),
        ("invalid_grant", Code::ProviderRefused),
    ] {
        scene.provider.inner.code.send_replace(Some(error));
        scene
            .agent
            .act(Action::SignInWithCode { org: name() })
            .await
            .unwrap();
        scene.ends_with(code).await;
    }
    scene.close().await;
}

#[tokio::test]
async fn a_provider_that_asks_to_slow_down_is_asked_more_slowly() {
    let scene = Scene::new().await;
    scene.provider.inner.code.send_replace(Some("slow_down"));
    shown(&scene).await;
    let mut asked = scene.provider.inner.asked.subscribe();
    let polls =
        |asked: &Vec<(String, _)>| asked.iter().filter(|(path, _)| path == "/v1/token").count();

    asked.wait_for(|asked| polls(asked) == 1).await.unwrap();
    let started = std::time::Instant::now();
    scene.provider.inner.code.send_replace(None);
    until(&scene.agent, signed_in).await;

    assert!(started.elapsed().as_secs() >= 5, "{:?}", started.elapsed());
    scene.close().await;
}

#[tokio::test]
async fn what_a_code_is_not_enough_for_says_so() {
    let scene = Scene::new().await;
    shown(&scene).await;
    scene.provider.inner.code.send_replace(None);
    until(&scene.agent, signed_in).await;
    let refuses = Outlet::Refuses(Code::NotAvailable);
    scene.world.hub.inner.outlet.send_replace(refuses);

    let service = scene.world.echo();
    scene.agent.act(Action::Connect { service }).await.unwrap();
    let snapshot = until(&scene.agent, |snapshot| failed(snapshot).is_some()).await;
    let unknown = Action::Connect {
        service: "acme/other".parse().unwrap(),
    };
    let hidden = scene.agent.act(unknown).await.unwrap_err();

    assert_eq!(failed(&snapshot).unwrap().code, Code::BrowserSignInNeeded);
    assert_eq!(hidden.code, Code::BrowserSignInNeeded);
    scene.close().await;
}
