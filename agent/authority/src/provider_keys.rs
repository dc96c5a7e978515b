//! The identity provider's signing keys, fetched over verified TLS and kept in memory.
//! However many tokens name a key nobody knows, the provider is asked once in five minutes: tokens cost an attacker nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_link::{
    dial,
    provider::{self, FetchError, Way},
};
use tidegate_proto::{
    idtoken::{KeySet, KeySetError, Refetch},
    names::HubAddress,
    statement::IdpStatement,
    time::UnixTime,
};
use tokio::net::TcpStream;

/// From this age on, seconds, keys are fetched again before they are used: a key taken away must stop counting.
const FRESH: u64 = 900;
/// Up to this age, seconds, keys are used when the provider cannot be asked.
const STALE: u64 = 86_400;
/// Seconds between two tries while the provider is away.
const RETRY: u64 = 10;
const DIAL: Duration = Duration::from_secs(5);

/// Why there are no keys.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum KeysAway {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    Set(#[from] KeySetError),
    #[error("the last try was a moment ago")]
    TriedJustNow,
}

/// Keys and when they were fetched.
#[derive(Default)]
pub(crate) struct ProviderKeys {
    held: Mutex<Held>,
    /// One fetch at a time.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    /// Whose keys these are; other settings make them worthless.
    of: Option<IdpStatement>,
    keys: Option<(Arc<KeySet>, UnixTime)>,
    tried: Option<UnixTime>,
    unknown_kid: Refetch,
}

impl ProviderKeys {
    /// The keys to verify with now.
    pub(crate) async fn current(
        &self,
        idp: &IdpStatement,
        now: UnixTime,
    ) -> Result<Arc<KeySet>, KeysAway> {
        let known = self.known(idp, now);
        if let Some((keys, age)) = &known
            && *age < FRESH
        {
            return Ok(Arc::clone(keys));
        }
        let usable = known.filter(|(_, age)| *age < STALE).map(|(keys, _)| keys);
        if let Some(keys) = usable {
            // Nobody waits for a provider that is slow while the keys at hand will do.
            let Ok(_flight) = self.flight.try_lock() else {
                return Ok(keys);
            };
            return Ok(self.fetch_unless_just_tried(idp, now).await.unwrap_or(keys));
        }
        let _flight = self.flight.lock().await;
        match self.known(idp, now) {
            Some((keys, age)) if age < FRESH => Ok(keys), // fetched while we waited
            _ => self.fetch_unless_just_tried(idp, now).await,
        }
    }

    /// Newer keys than `known` for a token that names an unknown one; `None` when the provider was asked less than five minutes ago.
    pub(crate) async fn newer_than(
        &self,
        known: &Arc<KeySet>,
        idp: &IdpStatement,
        now: UnixTime,
    ) -> Option<Arc<KeySet>> {
        let _flight = self.flight.lock().await;
        let held = self.known(idp, now).map(|(keys, _)| keys);
        // Whoever came first has fetched them while we waited.
        if let Some(keys) = held.filter(|keys| !Arc::ptr_eq(keys, known)) {
            return Some(keys);
        }
        if !self.lock().unknown_kid.allow(now) {
            return None;
        }
        self.fetch(idp, now).await.ok()
    }

    async fn fetch_unless_just_tried(
        &self,
        idp: &IdpStatement,
        now: UnixTime,
    ) -> Result<Arc<KeySet>, KeysAway> {
        let tried = self.lock().tried;
        if tried.is_some_and(|at| at <= now && at.until(now) < RETRY) {
            return Err(KeysAway::TriedJustNow);
        }
        self.fetch(idp, now).await
    }

    async fn fetch(&self, idp: &IdpStatement, now: UnixTime) -> Result<Arc<KeySet>, KeysAway> {
        self.lock().tried = Some(now);
        let fetched = fetch(idp).await;
        let mut held = self.lock();
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                tracing::info!(keys = keys.kids().count(), "provider keys were fetched");
                held.of = Some(idp.clone());
                held.keys = Some((Arc::clone(&keys), now));
                held.tried = None;
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(%error, "provider keys could not be fetched");
                Err(error)
            }
        }
    }

    /// Keys of this provider and their age in seconds. A clock that went back makes them old, not young for ever.
    fn known(&self, idp: &IdpStatement, now: UnixTime) -> Option<(Arc<KeySet>, u64)> {
        let mut held = self.lock();
        if held.of.as_ref().is_some_and(|of| of != idp) {
            *held = Held::default();
        }
        let (keys, at) = held.keys.as_ref()?;
        let age = if *at <= now { at.until(now) } else { FRESH };
        Some((Arc::clone(keys), age))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(idp: &IdpStatement) -> Result<KeySet, KeysAway> {
    let json = provider::key_set(&Direct(&idp.key_host), idp).await?;
    Ok(KeySet::parse(&json, &idp.algorithms)?)
}

/// The hub reaches the provider by itself.
struct Direct<'a>(&'a HubAddress);

impl Way for Direct<'_> {
    type Io = TcpStream;

    async fn open(&self) -> Result<TcpStream, FetchError> {
        dial(self.0, DIAL).await.map_err(|_| FetchError::NoWay)
    }
}
