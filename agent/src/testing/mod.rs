//! An agent that joined and signed in before, at a hub that does what the test says.
//! The sign-in itself is played on the stage with a real provider and a real browser.
#![allow(clippy::unwrap_used)]

pub(crate) mod authority;
mod berths;
pub(crate) mod hub;
pub(crate) mod keyring;
pub(crate) mod log;
pub(crate) mod org;
mod port;
pub(crate) mod provider;
#[cfg(target_os = "linux")]
pub(crate) mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hub::Hub;
pub(crate) use port::free_port;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::names::{OrgName, ServiceName, Subject};
use tidegate_proto::statement::Promised;
use tidegate_proto::time::UnixTime;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::disk::{Membership, Orgs};
use crate::hub::trust::Trust;
use crate::keys::{FileStore, SecretStore};
use crate::signin::tokens::{Claims, Session, Tokens};
use crate::{
    Action, Agent, AgentConfig, Clock, KeyStoreKind, NoBrowser, OrgSnapshot, Problem, ServiceRef,
    ServiceState, Snapshot,
};

/// What must never be seen outside of the keyring and the channel.
pub(crate) const CANARIES: [&str; 3] = [
    "canary-id-token",
    "canary-refresh",
    "Y2FuYXJ5LWlkZW50aXR5LXNlZWQtMzItYnl0ZXMtLS0",
];

/// A clock the test can move.
#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::from_fn(move || UnixTime(Clock::system().now().0 + hand.0.load(Ordering::SeqCst)))
    }

    pub(crate) fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) hand: Hand,
    pub(crate) dir: Arc<tempfile::TempDir>,
    pub(crate) service: ServiceName,
    pub(crate) port: u16,
    /// What the ticket named.
    pub(crate) promised: Vec<Promised>,
    /// What the provider calls the person.
    pub(crate) person: String,
    /// For plays that choose another port.
    pub(crate) other_port: u16,
    /// For plays that join with the same link twice.
    pub(crate) link_of_the_killed: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::of(org::name(), Hand::default(), dir).await
    }

    /// Another org with a hub of its own and a service of the same name, for the same laptop.
    pub(crate) async fn beside(&self, org: &str) -> Self {
        Self::of(
            org.parse().unwrap(),
            self.hand.clone(),
            Arc::clone(&self.dir),
        )
        .await
    }

    async fn of(org: OrgName, hand: Hand, dir: Arc<tempfile::TempDir>) -> Self {
        log::Log::shared();
        let hub = Hub::start(org, hand.clock()).await;
        let port = free_port();
        let service: ServiceName = "echo".parse().unwrap();
        hub.lists(&service, port);
        Self {
            hub,
            hand,
            dir,
            service,
            port,
            promised: Vec::new(),
            other_port: 0,
            person: "ana@example.org".into(),
            link_of_the_killed: String::new(),
        }
    }

    pub(crate) fn config(&self) -> AgentConfig {
        let mut config = AgentConfig::in_dir(&self.dir.path().join("agent"));
        config.keys = KeyStoreKind::File;
        config.browser = Box::new(NoBrowser);
        config.clock = self.hand.clock();
        config
    }

    /// As an earlier run left it: joined, and signed in for the next hour.
    pub(crate) fn signed_in_before(&self) {
        let store = self.joined_before();
        self.keep_session(&store);
    }

    /// The same, with the keys in `store`.
    pub(crate) fn signed_in_before_with(&self, store: &dyn SecretStore) {
        self.keep_membership();
        store.write(&self.entry("identity"), CANARIES[2]).unwrap();
        self.keep_session(store);
    }

    fn keep_session(&self, store: &dyn SecretStore) {
        store.write(&self.entry("refresh"), CANARIES[1]).unwrap();
        store
            .write(&self.entry("session"), &self.session().to_secret().unwrap())
            .unwrap();
    }

    /// As an earlier run left it: joined, and signed out.
    pub(crate) fn joined_before(&self) -> FileStore {
        self.keep_membership();
        let store = FileStore::new(self.config().data_dir.join("keys.json"));
        store.write(&self.entry("identity"), CANARIES[2]).unwrap();
        store
    }

    fn keep_membership(&self) {
        let data = self.config().data_dir;
        let mut disk = Orgs::open(&data).unwrap().disk(&self.org(), None);
        let membership = Membership {
            org: self.org(),
            hub: self.hub.address.clone(),
            root: self.hub.org().fingerprint(),
            root_key: None,
            device: "laptop".into(),
            chain: None,
            last: None,
            signed_out: false,
            trust: Trust::default(),
            services: vec![],
            promised: self.promised.clone(),
        };
        disk.save(&membership).unwrap();
    }

    fn session(&self) -> Session {
        let now = self.hand.clock().now();
        let tokens = Tokens {
            id_token: Zeroizing::new(CANARIES[0].into()),
            refresh: None,
            claims: Claims {
                subject: org::SUBJECT.parse::<Subject>().unwrap(),
                name: self.person.clone(),
                issued: now,
                expires: now.plus(3600),
                auth_time: now,
            },
        };
        Session::begin(&tokens, [9; 32], 43_200)
    }

    /// A running agent that is signed in, with the service in its catalogue.
    pub(crate) async fn agent(&self) -> Agent {
        self.signed_in_before();
        let agent = Agent::start(self.config()).await.unwrap();
        agent.signed_in(&org::name()).await.unwrap();
        until(&agent, |snapshot| acme(snapshot).services.len() == 1).await;
        agent
    }

    /// A running agent with the service connected and its spares ready.
    pub(crate) async fn connected(&self) -> Agent {
        let agent = self.agent().await;
        agent
            .act(Action::Connect {
                service: self.echo(),
            })
            .await
            .unwrap();
        until(&agent, |snapshot| state(snapshot).is_connected()).await;
        self.hub
            .counts(|count| count.circuits == crate::circuit::SPARES)
            .await;
        agent
    }

    pub(crate) fn org(&self) -> OrgName {
        self.hub.org().name.clone()
    }

    pub(crate) fn echo(&self) -> ServiceRef {
        ServiceRef::new(&self.org(), &self.service)
    }

    pub(crate) fn entry(&self, kind: &str) -> String {
        format!("{}/{kind}", self.org())
    }

    pub(crate) async fn call(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port)).await
    }

    /// What the agent's files hold, all of them.
    pub(crate) fn key_file(&self) -> String {
        std::fs::read_to_string(self.config().data_dir.join("keys.json")).unwrap()
    }
}

pub(crate) fn identity() -> SigningKey {
    SigningKey::from_seed(b"canary-identity-seed-32-bytes---")
}

/// The one org of most tests.
pub(crate) fn acme(snapshot: &Snapshot) -> &OrgSnapshot {
    snapshot.org(&org::name()).unwrap()
}

pub(crate) fn state(snapshot: &Snapshot) -> &ServiceState {
    &acme(snapshot).services[0].state
}

pub(crate) fn failed(snapshot: &Snapshot) -> Option<&Problem> {
    match acme(snapshot)
        .services
        .first()
        .map(|service| &service.state)
    {
        Some(ServiceState::Failed(problem)) => Some(problem),
        _ => None,
    }
}

/// Waits until the snapshot is as it should be.
pub(crate) async fn until(agent: &Agent, mut fits: impl FnMut(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshot = agent.snapshot();
    let patience = std::time::Duration::from_secs(20);
    let found = tokio::time::timeout(patience, snapshot.wait_for(|snapshot| fits(snapshot))).await;
    Arc::clone(
        &found
            .expect("the snapshot never became what it should be")
            .unwrap(),
    )
}
