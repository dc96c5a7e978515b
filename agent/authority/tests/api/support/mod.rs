//! A whole authority on loopback, with its org, its provider and a clock that is moved by hand.
//! `Stage::end` proves that nothing is left: every connection's task has been joined.
#![allow(clippy::unwrap_used, dead_code)] // each test file uses a part of it

pub(crate) mod client;
pub(crate) mod org;
pub(crate) mod provider;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidegate_authority::{
    Anchor, Authority, AuthorityConfig, AuthorityKeys, AuthorityPublic, Clock, OpenError,
    store::Store,
};
use tidegate_link::{ApiConnection, Doorstep, Preface, read_preface};
use tidegate_proto::{
    api::{EnrolAnswer, EnrolRequest, path},
    entropy::SystemEntropy,
    event::{EventKind, Verifier},
    identity::NoiseSecret,
    names::HubAddress,
    statement::OrgBundle,
    time::UnixTime,
};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use client::{Client, Device, Refused};
use org::Org;
use provider::Provider;

/// Follows the computer's clock, so many seconds ahead.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        tidegate_link::now().plus(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

pub(crate) struct Stage {
    dir: TempDir,
    pub(crate) org: Org,
    pub(crate) provider: Provider,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) authority: Arc<Authority>,
    address: HubAddress,
    closing: CancellationToken,
    server: JoinHandle<()>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::of(
            tempfile::tempdir().unwrap(),
            Org::new(),
            Provider::start().await,
            None,
        )
        .await
    }

    /// On a store that the test brings.
    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        Self::of(
            tempfile::tempdir().unwrap(),
            Org::new(),
            Provider::start().await,
            Some(store),
        )
        .await
    }

    async fn of(dir: TempDir, org: Org, provider: Provider, store: Option<Arc<dyn Store>>) -> Self {
        Self::at(0, dir, org, provider, store).await
    }

    async fn at(
        ahead: u64,
        dir: TempDir,
        org: Org,
        provider: Provider,
        store: Option<Arc<dyn Store>>,
    ) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(ahead)));
        let bundle = org.bundle(public(&dir), provider.settings(), clock.now());
        let authority = match store {
            None => Authority::open(config(&dir, &org), bundle, clock.clone()).await,
            Some(store) => {
                Authority::open_on(store, config(&dir, &org), bundle, clock.clone()).await
            }
        };
        let authority = Arc::new(authority.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let closing = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::clone(&authority), closing.clone()));
        Self {
            dir,
            org,
            provider,
            clock,
            authority,
            address,
            closing,
            server,
        }
    }

    /// Ends the authority and opens it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        let (dir, mut org, provider) = self.close().await;
        org.version += 1; // it is signed in another second
        Self::of(dir, org, provider, None).await
    }

    /// As `restart`, and the clock is as far ahead as it is now.
    pub(crate) async fn restart_at_its_time(self) -> Self {
        let ahead = self.clock.0.load(Ordering::SeqCst);
        let (dir, mut org, provider) = self.close().await;
        org.version += 1;
        Self::at(ahead, dir, org, provider, None).await
    }

    /// Ends everything; whatever would stay behind keeps this from returning.
    pub(crate) async fn end(self) {
        self.close().await;
    }

    async fn close(self) -> (TempDir, Org, Provider) {
        self.authority.drain();
        self.closing.cancel();
        timeout(Duration::from_secs(5), self.server)
            .await
            .unwrap()
            .unwrap();
        Arc::into_inner(self.authority).unwrap().shutdown().await;
        (self.dir, self.org, self.provider)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn public(&self) -> AuthorityPublic {
        public(&self.dir)
    }

    /// The org as it would be signed now.
    pub(crate) fn bundle(&self) -> OrgBundle {
        self.org
            .bundle(self.public(), self.provider.settings(), self.now())
    }

    pub(crate) async fn open_again(&self, bundle: OrgBundle) -> Result<Authority, OpenError> {
        Authority::open(config(&self.dir, &self.org), bundle, self.clock.clone()).await
    }

    /// A new connection, as a device would make it.
    pub(crate) async fn connect(&self) -> Client {
        let noise = NoiseSecret::generate(&SystemEntropy);
        let root = self.org.root.verify_key().peer_id();
        let org = "acme".parse().unwrap();
        Client::over(
            ApiConnection::connect(&self.address, &org, root, &noise)
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) async fn enrol(
        &self,
        ticket: &org::Ticket,
        device: &Device,
    ) -> Result<String, Refused> {
        let enrolment = ticket.enrolment(&device.identity.verify_key(), self.now());
        let request = EnrolRequest {
            ticket: ticket.join.jws.clone(),
            enrolment,
        };
        let answer: EnrolAnswer = self.connect().await.post(path::ENROL, &request).await?;
        Ok(answer.device)
    }

    /// A device of `sub` that is enrolled.
    pub(crate) async fn device(&self, sub: &str) -> Device {
        let device = Device::new();
        self.enrol(&self.org.ticket(sub, self.now()), &device)
            .await
            .unwrap();
        device
    }

    /// Devices in the store, read from the file itself.
    pub(crate) async fn devices(&self) -> usize {
        let path = self.data().join("authority.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM device")
            .fetch_one(&pool)
            .await
            .unwrap();
        pool.close().await;
        usize::try_from(count).unwrap()
    }

    /// The requests for access in the store, as they lie there.
    pub(crate) async fn accesses(&self) -> Vec<String> {
        let pool = self.pool().await;
        let docs = sqlx::query_scalar("SELECT doc FROM access")
            .fetch_all(&pool)
            .await
            .unwrap();
        pool.close().await;
        docs
    }

    /// Makes what the store has of them unreadable.
    pub(crate) async fn spoil_accesses(&self) {
        let pool = self.pool().await;
        sqlx::query("UPDATE access SET doc = '{}', version = version + 1")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }

    async fn pool(&self) -> sqlx::SqlitePool {
        let path = self.data().join("authority.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        sqlx::SqlitePool::connect_with(options).await.unwrap()
    }

    /// The authority's record, as it lies there.
    pub(crate) fn record(&self) -> String {
        let audits: Vec<_> = std::fs::read_dir(self.data().join("audit"))
            .unwrap()
            .collect();
        let [Ok(file)] = audits.as_slice() else {
            panic!("one record")
        };
        std::fs::read_to_string(file.path()).unwrap()
    }

    /// The authority's record, proved.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        let mut verifier = Verifier::new(&"acme".parse().unwrap(), &self.public().key);
        self.record()
            .lines()
            .map(|line| verifier.line(line.as_bytes()).unwrap().what)
            .collect()
    }

    /// An ID token for `sub` in the group that may see the warehouse.
    pub(crate) fn token(&self, device: &Device, sub: &str) -> String {
        self.provider
            .sign(&device.claims(&self.provider, sub, &["data-science"], self.now()))
    }
}

fn config(dir: &TempDir, org: &Org) -> AuthorityConfig {
    let anchor = Anchor {
        org: "acme".parse().unwrap(),
        root: org.root.verify_key().peer_id(),
    };
    AuthorityConfig {
        data: dir.path().join("data"),
        anchor,
    }
}

fn public(dir: &TempDir) -> AuthorityPublic {
    AuthorityKeys::open_or_make(&dir.path().join("data"), &SystemEntropy)
        .unwrap()
        .public()
}

async fn serve(listener: TcpListener, authority: Arc<Authority>, closing: CancellationToken) {
    let doorstep = Doorstep::new(64);
    let mut connections = JoinSet::new();
    while let Some(Ok((mut tcp, _))) = closing.run_until_cancelled(listener.accept()).await {
        let (authority, guest) = (Arc::clone(&authority), doorstep.enter());
        connections.spawn(async move {
            if let Ok(Preface::Api) = guest.within(read_preface(&mut tcp)).await {
                let _ = authority.serve_api(tcp, guest).await;
            }
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
}
