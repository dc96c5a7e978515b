//! Keeps the identity provider's signing keys fresh at an outlet that may have no way out but the relay's tunnel.
//! The authority never mirrors them: whoever holds the hub must not be able to invent a person.

mod cache;

use crate::clock;
use crate::config::KeyRoute;
use crate::known::{Known, ProviderKeys};
use crate::links::{KeyWay, Links};
pub(crate) use cache::Cache;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::Backoff;
use tidegate_link::provider::key_set;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::idtoken::{KeySet, Refetch};
use tidegate_proto::statement::IdpStatement;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Keys that were taken away at the provider must stop counting here soon.
const REFRESH: Duration = Duration::from_secs(600);
/// Circuits that wait for newer keys at once; more do without.
const WAITING: usize = 64;

/// For circuits that met a key nobody knows.
#[derive(Clone)]
pub(crate) struct AskAgain(mpsc::Sender<oneshot::Sender<()>>);

impl AskAgain {
    /// Waits until the keys were fetched again, or until it is clear that they will not be.
    pub(crate) async fn newer_keys(&self) {
        let (done, answer) = oneshot::channel();
        if self.0.try_send(done).is_ok() {
            let _ = answer.await;
        }
    }
}

/// The one task that fetches.
pub(crate) struct Fetcher {
    known: Arc<Known>,
    links: Arc<Links>,
    route: KeyRoute,
    data: PathBuf,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    refetch: Refetch,
    backoff: Backoff,
    /// Whose keys we have, and when to fetch next.
    issuer: Option<String>,
    due: Instant,
    /// As on the disk: the newest, and those before.
    cached: Option<Cache>,
    /// What the disk had was put to use.
    used: bool,
}

impl Fetcher {
    pub(crate) fn new(
        known: Arc<Known>,
        links: Arc<Links>,
        route: KeyRoute,
        data: PathBuf,
    ) -> (Self, AskAgain) {
        let (ask, asked) = mpsc::channel(WAITING);
        let due = Instant::now();
        let backoff = Backoff::default();
        let fetcher = Self {
            known,
            links,
            route,
            data,
            asked,
            refetch: Refetch::default(),
            backoff,
            issuer: None,
            due,
            cached: None,
            used: false,
        };
        (fetcher, AskAgain(ask))
    }

    /// Fetches when it is time, when somebody met an unknown key, and when the org names another provider.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.keep_fresh()).await;
    }

    async fn keep_fresh(&mut self) {
        let mut footing = self.known.footing();
        let mut links = self.links.count();
        self.cached = Cache::load(self.data.clone()).await;
        loop {
            if let Some(idp) = self.known.idp() {
                self.turn_to(&idp);
                if Instant::now() >= self.due {
                    self.fetch(&idp).await;
                }
            }
            let known = self.known.idp().is_some();
            tokio::select! {
                () = tokio::time::sleep_until(self.due), if known => {}
                Some(waiting) = self.asked.recv() => self.fetch_for(waiting).await,
                Ok(()) = footing.changed() => {}
                // A way that was not there a moment ago.
                Ok(()) = links.changed(), if self.issuer.is_none() => {
                    if *links.borrow_and_update() > 0 {
                        self.due = Instant::now();
                    }
                }
            }
        }
    }

    /// Another issuer makes the keys worthless; what the disk keeps of its keys serves until the first fetch.
    fn turn_to(&mut self, idp: &IdpStatement) {
        if self
            .issuer
            .as_ref()
            .is_some_and(|issuer| *issuer != idp.issuer)
        {
            self.issuer = None;
            self.due = Instant::now();
        }
        let Some(cached) = self.cached.as_ref().filter(|_| !self.used) else {
            return;
        };
        if cached.issuer != idp.issuer {
            return;
        }
        if let Ok(keys) = KeySet::parse(cached.jwks.as_bytes(), &idp.algorithms) {
            self.known.take_keys(ProviderKeys {
                issuer: cached.issuer.clone(),
                keys,
                fetched: cached.fetched,
                former: cached.former_keys(idp),
            });
        }
        self.used = true;
    }

    async fn fetch_for(&mut self, waiting: oneshot::Sender<()>) {
        if let Some(idp) = self.known.idp()
            && self.refetch.allow(clock::now())
        {
            self.fetch(&idp).await;
        }
        let _ = waiting.send(());
    }

    async fn fetch(&mut self, idp: &IdpStatement) {
        let way = match self.route {
            KeyRoute::Tunnel => KeyWay::Tunnel(Arc::clone(&self.links)),
            KeyRoute::Direct => KeyWay::Direct(idp.key_host.clone()),
        };
        let fetched = key_set(&way, idp).await;
        let parsed = fetched.map(|json| (KeySet::parse(&json, &idp.algorithms), json));
        match parsed {
            Ok((Ok(keys), json)) => self.take(idp, keys, json).await,
            Ok((Err(error), _)) => self.failed(&error),
            Err(error) => self.failed(&error),
        }
    }

    async fn take(&mut self, idp: &IdpStatement, keys: KeySet, json: Vec<u8>) {
        let now = clock::now();
        let jwks = String::from_utf8(json).unwrap_or_default();
        let cache = match self.cached.take() {
            Some(before) => before.followed_by(idp, jwks, now),
            None => Cache::first(idp, jwks, now),
        };
        let new = self.known.take_keys(ProviderKeys {
            issuer: idp.issuer.clone(),
            keys,
            fetched: now,
            former: cache.former_keys(idp),
        });
        if new {
            tracing::info!(issuer = idp.issuer, "provider keys were taken");
        }
        self.issuer = Some(idp.issuer.clone());
        self.backoff.reset();
        self.due = Instant::now() + REFRESH;
        cache.store(self.data.clone()).await;
        (self.cached, self.used) = (Some(cache), true);
    }

    fn failed(&mut self, error: &dyn std::error::Error) {
        let wait = self.backoff.next(&SystemEntropy);
        tracing::warn!(%error, ?wait, "provider keys were not fetched");
        self.due = Instant::now() + wait;
    }
}
