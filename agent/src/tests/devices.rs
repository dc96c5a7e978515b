//! Two laptops of one person at a real authority: the new one is let in by the old one, listed, and taken back.
//! The person is the test: it reads both screens and clicks.

use std::sync::Arc;

use crate::testing::authority::Headquarters;
use crate::testing::keyring::Keyring;
use crate::testing::org::name;
use crate::testing::provider::{Pages, Provider, browser};
use crate::testing::{Hand, acme, until};
use crate::{
    AccountView, Action, Agent, AgentConfig, Code, DeviceRequestState, Enrolling, KeyStoreKind,
    Secret, Snapshot,
};

struct Desk {
    hand: Hand,
    provider: Provider,
    hub: Headquarters,
}

/// A laptop with its browser.
struct Laptop {
    agent: Agent,
    pages: Pages,
    config: Box<dyn Fn() -> AgentConfig>,
    _dir: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let hand = Hand::default();
        let provider = Provider::start(hand.clock()).await;
        let hub = Headquarters::new(provider.settings(), hand.clone()).await;
        Self {
            hand,
            provider,
            hub,
        }
    }

    async fn laptop(&self) -> Laptop {
        self.laptop_with(None).await
    }

    async fn laptop_with(&self, keyring: Option<Arc<Keyring>>) -> Laptop {
        let dir = tempfile::tempdir().unwrap();
        let (path, hand) = (dir.path().join("agent"), self.hand.clone());
        let config = Box::new(move || {
            let mut config = AgentConfig::in_dir(&path);
            config.keys = KeyStoreKind::File;
            config.clock = hand.clock();
            config.keyring = keyring.clone().map(|keyring| keyring as _);
            config
        });
        let (opener, pages) = browser();
        let mut first = config();
        first.browser = Box::new(opener);
        Laptop {
            agent: Agent::start(first).await.unwrap(),
            pages,
            config,
            _dir: dir,
        }
    }

    /// The laptop that came with a ticket, signed in.
    async fn old(&self) -> Laptop {
        let mut laptop = self.laptop().await;
        laptop.join(self.hub.link()).await;
        laptop.sign_in(&self.provider).await;
        until(&laptop.agent, |snapshot| {
            signed_in(snapshot) && acme(snapshot).devices.len() == 1
        })
        .await;
        laptop
    }

    /// A laptop that has joined with what the old one shows, signed in and asking.
    async fn new_beside(&self, old: &Laptop) -> Laptop {
        let mut laptop = self.laptop().await;
        let link = acme(&old.agent.snapshot().borrow()).link.clone();
        laptop.join(link).await;
        laptop.sign_in(&self.provider).await;
        laptop.asks().await;
        laptop
    }

    async fn end(self, laptops: Vec<Laptop>) {
        for laptop in laptops {
            laptop.agent.shutdown().await;
        }
        self.hub.end().await;
    }
}

impl Laptop {
    async fn join(&self, link: String) {
        let link = Secret::from(link);
        self.agent.act(Action::Join { link }).await.unwrap();
        until(&self.agent, |snapshot| !snapshot.orgs.is_empty()).await;
    }

    async fn sign_in(&mut self, provider: &Provider) {
        self.agent
            .act(Action::SignIn { org: name() })
            .await
            .unwrap();
        let page = self.pages.next().await;
        page.sign_in(provider).await;
    }

    async fn asks(&self) {
        until(&self.agent, |snapshot| {
            matches!(acme(snapshot).enrolling, Some(Enrolling::Asking { .. }))
        })
        .await;
    }

    /// The request that this laptop shows.
    async fn request(&self) -> String {
        let snapshot = until(&self.agent, |snapshot| {
            acme(snapshot)
                .device_requests
                .iter()
                .any(|request| request.state == DeviceRequestState::Asking)
        })
        .await;
        acme(&snapshot).device_requests[0].id.clone()
    }

    /// The words on the old laptop's screen.
    async fn words_here(&self) -> Vec<String> {
        let words = |snapshot: &Snapshot| match acme(snapshot).device_requests.first() {
            Some(request) => match &request.state {
                DeviceRequestState::Words { words } => Some(words.clone()),
                _ => None,
            },
            None => None,
        };
        let snapshot = until(&self.agent, |snapshot| words(snapshot).is_some()).await;
        words(&snapshot).unwrap()
    }

    /// The words on the new laptop's screen.
    async fn words_there(&self) -> Vec<String> {
        let words = |snapshot: &Snapshot| match &acme(snapshot).enrolling {
            Some(Enrolling::Words { words, .. }) => Some(words.clone()),
            _ => None,
        };
        let snapshot = until(&self.agent, |snapshot| words(snapshot).is_some()).await;
        words(&snapshot).unwrap()
    }

    async fn compares(&self) -> String {
        let request = self.request().await;
        let (org, id) = (name(), request.clone());
        let compare = Action::CompareDevice { org, request: id };
        self.agent.act(compare).await.unwrap();
        request
    }

    async fn approves(&self, request: String) {
        let org = name();
        let approve = Action::ApproveDevice { org, request };
        self.agent.act(approve).await.unwrap();
    }

    /// How many devices stand between the ticket and this one, as it could prove it to an outlet.
    fn vouches(&self) -> Option<usize> {
        let state = (self.config)().data_dir.join("orgs/acme/state.json");
        let state = std::fs::read_to_string(state).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let chain = state.get("chain")?;
        let vouches = chain.get("vouches").and_then(|vouches| vouches.as_array());
        Some(vouches.map_or(0, Vec::len))
    }

    async fn is_out(&self, code: Code) {
        until(&self.agent, |snapshot| {
            let org = acme(snapshot);
            matches!(org.account, AccountView::SignedOut { .. })
                && org.problems.iter().any(|problem| problem.code == code)
        })
        .await;
    }
}

fn signed_in(snapshot: &Snapshot) -> bool {
    matches!(acme(snapshot).account, AccountView::SignedIn { .. })
}

#[tokio::test]
async fn a_new_laptop_is_let_in_by_the_old_one_with_the_same_words_on_both_screens() {
    let desk = Desk::new().await;
    let old = desk.old().await;
    let new = desk.new_beside(&old).await;

    let request = old.compares().await;
    assert_eq!(old.words_here().await, new.words_there().await);
    old.approves(request).await;

    let snapshot = until(&new.agent, |snapshot| {
        signed_in(snapshot) && acme(snapshot).devices.len() == 2
    })
    .await;
    assert_eq!(acme(&snapshot).enrolling, None);
    assert_eq!((old.vouches(), new.vouches()), (Some(0), Some(1)));
    assert!(acme(&snapshot).device.starts_with("dev-"));
    let here = until(&old.agent, |snapshot| acme(snapshot).devices.len() == 2).await;
    let mine = acme(&here).devices.iter().filter(|device| device.this);
    assert_eq!(mine.count(), 1);
    assert!(acme(&here).device_requests.is_empty());
    desk.end(vec![old, new]).await;
}

#[tokio::test]
async fn declined_means_out_and_asking_again_needs_no_browser() {
    let desk = Desk::new().await;
    let old = desk.old().await;
    let new = desk.new_beside(&old).await;

    let (org, request) = (name(), old.request().await);
    let decline = Action::DeclineDevice { org, request };
    old.agent.act(decline).await.unwrap();
    new.is_out(Code::IntroductionOver).await;

    new.agent.act(Action::SignIn { org: name() }).await.unwrap();
    new.asks().await;
    let request = old.compares().await;
    new.words_there().await;
    old.words_here().await;
    old.approves(request).await;
    until(&new.agent, signed_in).await;
    desk.end(vec![old, new]).await;
}

#[tokio::test]
async fn a_restart_on_the_way_in_asks_again_by_itself() {
    let desk = Desk::new().await;
    let old = desk.old().await;
    let Laptop {
        agent,
        pages,
        config,
        _dir,
    } = desk.new_beside(&old).await;

    agent.shutdown().await;
    let new = Laptop {
        agent: Agent::start(config()).await.unwrap(),
        pages,
        config,
        _dir,
    };

    new.asks().await;
    let request = old.compares().await;
    assert_eq!(old.words_here().await, new.words_there().await);
    old.approves(request).await;
    until(&new.agent, signed_in).await;
    desk.end(vec![old, new]).await;
}

#[tokio::test]
async fn a_laptop_that_is_taken_back_is_out_at_once() {
    let desk = Desk::new().await;
    let old = desk.old().await;
    let new = desk.new_beside(&old).await;
    let request = old.compares().await;
    old.words_here().await;
    old.approves(request).await;
    let snapshot = until(&new.agent, |snapshot| {
        signed_in(snapshot) && acme(snapshot).devices.len() == 2
    })
    .await;

    let of_old = acme(&snapshot).devices.iter().find(|device| !device.this);
    let (org, device) = (name(), of_old.unwrap().id.clone());
    let revoke = Action::RevokeDevice { org, device };
    new.agent.act(revoke).await.unwrap();

    old.is_out(Code::RevokedByAdmin).await;
    until(&new.agent, |snapshot| {
        acme(snapshot).devices.iter().any(|device| device.revoked)
    })
    .await;
    desk.end(vec![old, new]).await;
}

#[tokio::test]
async fn a_laptop_that_is_in_does_not_lose_its_place_to_a_link_without_a_ticket() {
    let desk = Desk::new().await;
    let old = desk.old().await;
    let link = Secret::from(acme(&old.agent.snapshot().borrow()).link.clone());
    let out = Action::SignOut { org: name() };
    old.agent.act(out).await.unwrap();

    let again = old.agent.act(Action::Join { link }).await;

    assert_eq!(again.unwrap_err().code, Code::AlreadyJoined);
    desk.end(vec![old]).await;
}

#[tokio::test]
async fn a_join_that_is_cancelled_leaves_the_device_its_key() {
    let desk = Desk::new().await;
    let keyring = Arc::new(Keyring::default());
    let mut laptop = desk.laptop_with(Some(Arc::clone(&keyring))).await;
    laptop.join(desk.hub.link()).await;
    keyring
        .until(|keyring| keyring.has("acme/identity") && !keyring.has("acme/joining"))
        .await;
    let before = keyring.secret("acme/identity");
    let held = keyring.hold();
    let link = Secret::from(desk.hub.link());
    laptop.agent.act(Action::Join { link }).await.unwrap();
    keyring.is_written_to().await;

    laptop.agent.act(Action::CancelJoin).await.unwrap();
    drop(held);

    // The new key waits for its ticket beside the one that is this device.
    keyring.until(|keyring| keyring.has("acme/joining")).await;
    assert_eq!(keyring.secret("acme/identity"), before);
    laptop.sign_in(&desk.provider).await;
    until(&laptop.agent, signed_in).await;
    desk.end(vec![laptop]).await;
}

#[tokio::test]
async fn an_org_that_is_left_while_it_is_joined_anew_stays_left() {
    let desk = Desk::new().await;
    let keyring = Arc::new(Keyring::default());
    let laptop = desk.laptop_with(Some(Arc::clone(&keyring))).await;
    laptop.join(desk.hub.link()).await;
    let held = keyring.hold();
    let link = Secret::from(desk.hub.link());
    laptop.agent.act(Action::Join { link }).await.unwrap();
    keyring.is_written_to().await;

    laptop
        .agent
        .act(Action::Leave { org: name() })
        .await
        .unwrap();
    drop(held);

    keyring
        .until(|keyring| !keyring.has("acme/joining") && !keyring.has("acme/identity"))
        .await;
    assert!(laptop.agent.snapshot().borrow().orgs.is_empty());
    desk.end(vec![laptop]).await;
}
