//! Signing in, and every way in which it ends: each has its sentence in the snapshot and its page in the tab.
//! The browser is the test itself: it comes back when and with what it likes.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::api::event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::keys::SecretStore;
use crate::testing::keyring::Keyring;
use crate::testing::org::name;
use crate::testing::provider::{Page, Pages, Provider, browser};
use crate::testing::{CANARIES, World, acme, failed, free_port, state, until};
use crate::{AccountView, Action, Agent, Code, LikelyCause, SignIn, SignInStep, Snapshot};

/// A joined agent with a provider and a browser.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) provider: Provider,
    pub(super) agent: Agent,
    pages: Pages,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::with(None).await
    }

    /// With a keyring that does what the test says.
    pub(super) async fn with(keyring: Option<Arc<Keyring>>) -> Self {
        let world = World::new().await;
        let provider = Provider::start(world.hand.clock()).await;
        *world.hub.inner.idp.lock().unwrap() = provider.settings();
        world.joined_before();
        let (browser, pages) = browser();
        let mut config = world.config();
        config.browser = Box::new(browser);
        if let Some(keyring) = keyring {
            keyring.write("acme/identity", CANARIES[2]).unwrap();
            config.keyring = Some(keyring);
        }
        let agent = Agent::start(config).await.unwrap();
        until(&agent, signed_out).await;
        Self {
            world,
            provider,
            agent,
            pages,
        }
    }

    /// Signed in, and the service connected.
    pub(super) async fn connected() -> Self {
        let mut scene = Self::new().await;
        let page = scene.begin().await;
        page.sign_in(&scene.provider).await;
        let service = scene.world.echo();
        scene.agent.act(Action::Connect { service }).await.unwrap();
        until(&scene.agent, |snapshot| {
            acme(snapshot).services.len() == 1 && state(snapshot).is_connected()
        })
        .await;
        scene
    }

    /// The next page that the browser is given.
    pub(super) async fn page(&mut self) -> Page {
        self.pages.next().await
    }

    /// Whether the browser was given none since.
    pub(super) fn no_page(&mut self) -> bool {
        self.pages.is_empty()
    }

    /// Begins a sign-in, up to the page in the browser.
    pub(super) async fn begin(&mut self) -> Page {
        self.agent
            .act(Action::SignIn { org: name() })
            .await
            .unwrap();
        let page = self.pages.next().await;
        until(&self.agent, |snapshot| {
            let under_way = waiting(snapshot).or_else(|| again(snapshot));
            under_way.is_some_and(|at| at.step == SignInStep::WaitingForBrowser)
        })
        .await;
        page
    }

    /// Waits until signed out for this reason.
    pub(super) async fn ends_with(&self, code: Code) {
        let snapshot = until(&self.agent, |snapshot| {
            signed_out(snapshot)
                && acme(snapshot)
                    .problems
                    .iter()
                    .any(|found| found.code == code)
        })
        .await;
        let codes: Vec<_> = acme(&snapshot)
            .problems
            .iter()
            .map(|found| found.code)
            .collect();
        assert_eq!(codes, [code]);
    }

    pub(super) async fn close(self) {
        self.agent.shutdown().await;
    }
}

pub(super) fn signed_out(snapshot: &Snapshot) -> bool {
    matches!(acme(snapshot).account, AccountView::SignedOut { .. })
}

pub(super) fn signed_in(snapshot: &Snapshot) -> bool {
    matches!(acme(snapshot).account, AccountView::SignedIn { .. })
}

pub(super) fn waiting(snapshot: &Snapshot) -> Option<&SignIn> {
    match &acme(snapshot).account {
        AccountView::SigningIn(sign_in) => Some(sign_in),
        _ => None,
    }
}

/// How far somebody got who is signed in and signs in once more.
pub(super) fn again(snapshot: &Snapshot) -> Option<&SignIn> {
    match &acme(snapshot).account {
        AccountView::SignedIn { again, .. } => again.as_ref(),
        _ => None,
    }
}

#[tokio::test]
async fn a_person_signs_in_and_the_tab_says_so() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;

    let tab = page.sign_in(&scene.provider).await;

    until(&scene.agent, signed_in).await;
    assert!(tab.contains("You are signed in"), "{tab}");
    scene.close().await;
}

#[tokio::test]
async fn a_retry_replaces_the_sign_in_and_the_old_tab_is_told() {
    let mut scene = Scene::new().await;
    let old = scene.begin().await;
    let new = scene.begin().await;

    let late = old.sign_in(&scene.provider).await;

    assert!(late.contains("A newer sign-in was started"), "{late}");
    assert!(waiting(&scene.agent.snapshot().borrow()).is_some());
    let tab = new.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    assert!(tab.contains("You are signed in"), "{tab}");
    scene.close().await;
}

#[tokio::test]
async fn a_tab_that_comes_back_after_cancel_is_told() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;

    scene
        .agent
        .act(Action::CancelSignIn { org: name() })
        .await
        .unwrap();
    let tab = page.sign_in(&scene.provider).await;

    assert!(tab.contains("Sign-in cancelled"), "{tab}");
    assert!(signed_out(&scene.agent.snapshot().borrow()));
    assert!(scene.provider.form("/v1/token").is_none());
    scene.close().await;
}

#[tokio::test]
async fn every_step_can_be_cancelled_and_a_sign_in_still_works_afterwards() {
    let mut scene = Scene::new().await;
    for step in [
        SignInStep::AskingHub,
        SignInStep::AskingProvider,
        SignInStep::WaitingForBrowser,
    ] {
        scene
            .agent
            .act(Action::SignIn { org: name() })
            .await
            .unwrap();
        until(&scene.agent, |snapshot| {
            waiting(snapshot).is_some_and(|at| at.step == step || at.url.is_some())
        })
        .await;
        scene
            .agent
            .act(Action::CancelSignIn { org: name() })
            .await
            .unwrap();
        assert!(signed_out(&scene.agent.snapshot().borrow()), "{step:?}");
    }
    let mut page = scene.begin().await;
    // Those that were cancelled late have opened pages too: the last one counts.
    while page.is_stale(&scene.agent.snapshot().borrow()) {
        page = scene.pages.next().await;
    }

    page.sign_in(&scene.provider).await;

    until(&scene.agent, signed_in).await;
    scene.close().await;
}

#[tokio::test]
async fn what_the_page_answers_is_said_here_and_there() {
    let mut scene = Scene::new().await;
    for (answer, code, said) in [
        ("error=access_denied", Code::SignInDeclined, "was declined"),
        ("error=login_required", Code::ProviderRefused, "was refused"),
        ("error=invalid_scope", Code::ProviderRefused, "was refused"),
        (
            "error=server_error",
            Code::ProviderUnreachable,
            "not reachable",
        ),
        (
            "code=never-given",
            Code::ProviderRefused,
            "had run out or was used before",
        ),
    ] {
        let page = scene.begin().await;

        let tab = page.come_back(answer).await;

        scene.ends_with(code).await;
        assert!(tab.contains(said), "{answer}: {tab}");
        assert!(tab.contains("close this tab"), "{answer}: {tab}");
    }
    scene.close().await;
}

#[tokio::test]
async fn a_link_that_is_opened_twice_says_that_it_was_used() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    scene.provider.inner.hold_tokens();
    let first = tokio::spawn({
        let words = page.code(&scene.provider);
        let page = page.clone();
        async move { page.come_back(&words).await }
    });
    until(&scene.agent, |snapshot| {
        waiting(snapshot).is_some_and(|at| at.step == SignInStep::ExchangingCode)
    })
    .await;

    let second = page.come_back("code=again").await;
    scene.provider.inner.release_tokens();

    assert!(second.contains("This page was used before"), "{second}");
    assert!(first.await.unwrap().contains("You are signed in"));
    scene.close().await;
}

#[tokio::test]
async fn an_answer_to_no_sign_in_of_ours_is_told_so_and_ends_nothing() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;

    let stray = page.with_state("forged").come_back("code=x").await;

    assert!(
        stray.contains("Not the sign-in that is under way"),
        "{stray}"
    );
    page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    scene.close().await;
}

#[tokio::test]
async fn a_minute_without_an_answer_names_what_may_be_the_matter() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    page.with_state("forged").come_back("code=x").await;

    let mut snapshot = scene.agent.snapshot();
    tokio::time::pause();
    let guesses =
        |snapshot: &Arc<Snapshot>| waiting(snapshot).is_some_and(|at| !at.likely.is_empty());
    let snapshot = snapshot.wait_for(guesses).await.unwrap().clone();
    tokio::time::resume();

    let likely = &waiting(&snapshot).unwrap().likely;
    assert_eq!(likely[..2], [LikelyCause::OlderTab, LikelyCause::PageWaits]);
    assert!(!likely.contains(&LikelyCause::BrowserDidNotOpen));
    page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    scene.close().await;
}

#[tokio::test]
async fn five_minutes_without_an_answer_end_it_and_a_late_tab_is_told() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;

    let mut snapshot = scene.agent.snapshot();
    tokio::time::pause();
    let over = |snapshot: &Arc<Snapshot>| signed_out(snapshot);
    drop(snapshot.wait_for(over).await.unwrap());
    tokio::time::resume();

    scene.ends_with(Code::SignInTimedOut).await;
    let tab = page.sign_in(&scene.provider).await;
    assert!(tab.contains("Sign-in took too long"), "{tab}");
    scene.close().await;
}

#[tokio::test]
async fn quitting_tells_the_tab_that_waits() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    scene.provider.inner.hold_tokens();
    let words = page.code(&scene.provider);
    let tab = tokio::spawn(async move { page.come_back(&words).await });
    until(&scene.agent, |snapshot| {
        waiting(snapshot).is_some_and(|at| at.step == SignInStep::ExchangingCode)
    })
    .await;

    let started = std::time::Instant::now();
    scene.agent.shutdown().await;

    assert!(started.elapsed() < Duration::from_secs(3));
    let tab = tab.await.unwrap();
    assert!(tab.contains("Tidegate was quit"), "{tab}");
}

#[tokio::test]
async fn the_provider_that_is_away_or_not_trusted_is_told_apart() {
    let mut scene = Scene::new().await;
    *scene.world.hub.inner.idp.lock().unwrap() = scene.provider.settings_without_ca();
    scene
        .agent
        .act(Action::SignIn { org: name() })
        .await
        .unwrap();
    scene.ends_with(Code::ProviderNotTrusted).await;

    *scene.world.hub.inner.idp.lock().unwrap() = scene.provider.settings();
    scene.provider.inner.away.send_replace(true);
    scene
        .agent
        .act(Action::SignIn { org: name() })
        .await
        .unwrap();
    scene.ends_with(Code::ProviderUnreachable).await;

    scene.provider.inner.away.send_replace(false);
    let page = scene.begin().await;
    page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    scene.close().await;
}

#[tokio::test]
async fn taken_ports_are_said_with_who_holds_them() {
    let scene = Scene::new().await;
    let held: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind(("127.0.0.1", free_port())).unwrap())
        .collect();
    let ports = held
        .iter()
        .map(|held| held.local_addr().unwrap().port())
        .collect::<Vec<_>>();
    scene.world.hub.inner.idp.lock().unwrap().redirect_ports = ports.try_into().unwrap();

    scene
        .agent
        .act(Action::SignIn { org: name() })
        .await
        .unwrap();

    scene.ends_with(Code::SignInPortsTaken).await;
    scene.close().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    let words = page.code(&scene.provider);
    scene.provider.inner.ahead_by(7200);

    let tab = page.come_back(&words).await;

    scene.ends_with(Code::ClockOff).await;
    assert!(tab.contains("Clock is wrong"), "{tab}");
    scene.close().await;
}

#[tokio::test]
async fn another_persons_account_is_said_in_the_tab() {
    let mut scene = Scene::new().await;
    *scene.world.hub.inner.refuse.lock().unwrap() = Some(Code::WrongAccount);
    let page = scene.begin().await;

    let tab = page.sign_in(&scene.provider).await;

    scene.ends_with(Code::WrongAccount).await;
    assert!(tab.contains("Another account"), "{tab}");
    scene.close().await;
}

#[tokio::test]
async fn signing_out_ends_the_session_at_the_provider_too() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;

    scene
        .agent
        .act(Action::SignOut { org: name() })
        .await
        .unwrap();

    let mut asked = scene.provider.inner.asked.subscribe();
    let patience = Duration::from_secs(10);
    let revoked = asked.wait_for(|asked| asked.iter().any(|(path, _)| path == "/v1/revoke"));
    tokio::time::timeout(patience, revoked)
        .await
        .unwrap()
        .unwrap();
    let form = scene.provider.form("/v1/revoke").unwrap();
    assert_eq!(form["token_type_hint"], "refresh_token");
    assert!(!scene.provider.takes(&form["token"]));
    assert!(!scene.world.key_file().contains("canary-refresh"));
    until(&scene.agent, |snapshot| !acme(snapshot).signing_out).await;
    assert!(acme(&scene.agent.snapshot().borrow()).problems.is_empty());
    scene.close().await;
}

#[tokio::test]
async fn signing_out_works_without_the_provider_and_says_what_it_could_not_do() {
    let mut scene = Scene::new().await;
    let page = scene.begin().await;
    page.sign_in(&scene.provider).await;
    until(&scene.agent, signed_in).await;
    scene.provider.inner.away.send_replace(true);

    scene
        .agent
        .act(Action::SignOut { org: name() })
        .await
        .unwrap();

    assert!(signed_out(&scene.agent.snapshot().borrow()));
    let snapshot = until(&scene.agent, |snapshot| !acme(snapshot).problems.is_empty()).await;
    assert_eq!(acme(&snapshot).problems[0].code, Code::SignOutNotConfirmed);
    assert!(!scene.world.key_file().contains("canary-refresh"));
    scene.close().await;
}

#[tokio::test]
async fn a_person_disabled_at_the_provider_is_out_with_her_portals() {
    let scene = Scene::connected().await;
    let mut program = scene.world.call().await.unwrap();
    scene.world.hub.counts(|count| count.portals == 1).await;

    scene.provider.inner.disabled.send_replace(true);
    // The ID token would live for another fifty minutes.
    scene.world.hand.forward(550);
    scene.world.hub.say(event::CHANGED, String::new());

    assert!(program.read(&mut [0; 1]).await.is_err());
    let snapshot = until(&scene.agent, |snapshot| failed(snapshot).is_some()).await;
    assert_eq!(failed(&snapshot).unwrap().code, Code::SignedOutByProvider);
    assert!(signed_out(&snapshot));
    assert!(scene.world.call().await.is_err());
    scene.close().await;
}

/// A program that is inside still is.
pub(super) async fn echoes(program: &mut TcpStream) {
    program.write_all(b"still here").await.unwrap();
    let mut echoed = [0; 10];
    program.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"still here");
}
