//! How a relay of its own learns what it admits by: it asks the authority, listens to it, and keeps the last word on disk.
//! Until there was a word that follows from the org root, there is no relay: one that cannot verify admits nobody.

mod known;

pub use known::{NotTaken, is_kept};
pub use tidegate_link::kept::KeptError;

use crate::{Catalogue, Clock, Limits, RelayConfig};
use known::{Known, Parts};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tidegate_link::{
    ApiConnection, Backoff, LinkError,
    api_client::{ApiClient, ApiError, Events},
};
use tidegate_proto::{
    api::{RelayAnswer, event, path},
    entropy::SystemEntropy,
    identity::{NoiseSecret, PeerId},
    names::{HubAddress, OrgName},
    statement::{AuthorityStatement, Newest},
    time::UnixTime,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Asked again so often, whatever the events say.
const REFRESH: Duration = Duration::from_secs(300);
/// A connection that was of use for this long did not fail at once.
const SETTLED: Duration = Duration::from_secs(30);
/// One that ended sooner was of no use.
const BRIEF: Duration = Duration::from_secs(1);

/// Whose relay it is, and where its authority is.
pub struct FollowerConfig {
    pub hub: HubAddress,
    pub org: OrgName,
    /// Fingerprint of an org root key: given by whoever runs the relay.
    pub root: PeerId,
    /// The relay's own key: by it the authority knows who asks.
    pub noise: NoiseSecret,
    /// For what survives a restart; of the relay's own.
    pub data: PathBuf,
}

/// What a relay goes by at one moment, all of it verified from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub authority: AuthorityStatement,
    pub key_host: HubAddress,
    pub catalogue: Catalogue,
    pub shut_out: BTreeSet<String>,
}

/// Where the word is told as it changes.
pub struct Told {
    authority: watch::Sender<AuthorityStatement>,
    key_host: watch::Sender<HubAddress>,
    catalogue: watch::Sender<Arc<Catalogue>>,
    shut_out: watch::Sender<Arc<BTreeSet<String>>>,
}

impl Told {
    /// Begins with the first word.
    #[must_use]
    pub fn new(word: Word) -> Self {
        Self {
            authority: watch::Sender::new(word.authority),
            key_host: watch::Sender::new(word.key_host),
            catalogue: watch::Sender::new(Arc::new(word.catalogue)),
            shut_out: watch::Sender::new(Arc::new(word.shut_out)),
        }
    }

    /// A relay that goes by what is told here.
    #[must_use]
    pub fn relay(
        &self,
        org: OrgName,
        noise: NoiseSecret,
        limits: Limits,
        clock: Clock,
    ) -> RelayConfig {
        RelayConfig {
            org,
            noise,
            authority: self.authority.subscribe(),
            key_host: self.key_host.subscribe(),
            shut_out: self.shut_out.subscribe(),
            catalogue: self.catalogue.subscribe(),
            limits,
            clock,
        }
    }

    /// Only what has changed wakes anybody.
    fn tell(&self, word: Word) {
        fn put<T: PartialEq>(to: &watch::Sender<T>, new: T) {
            to.send_if_modified(|old| {
                let differs = *old != new;
                *old = new;
                differs
            });
        }
        put(&self.authority, word.authority);
        put(&self.key_host, word.key_host);
        put(&self.catalogue, Arc::new(word.catalogue));
        put(&self.shut_out, Arc::new(word.shut_out));
    }
}

/// What the authority says at one moment, for looking only.
pub struct Looked {
    pub word: Word,
    /// When it said so, by its own clock.
    pub at: UnixTime,
}

/// Why the authority is not followed any more, or could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
}

/// Follows the authority for one relay.
pub struct Follower {
    config: FollowerConfig,
    known: Arc<Mutex<Known>>,
}

impl Follower {
    /// Reads what was kept. Blocks on a file for a moment.
    ///
    /// # Errors
    /// When there is something and it cannot be read: going on would forget who was shut out.
    pub fn open(config: FollowerConfig) -> Result<Self, KeptError> {
        let known = Known::load(&config.data)?;
        Ok(Self {
            config,
            known: Arc::new(Mutex::new(known)),
        })
    }

    /// The word to begin with: what was kept, or else the first that the authority says, however long that takes.
    pub async fn first_word(&self) -> Word {
        if let Some(word) = self.kept_word() {
            return word;
        }
        tracing::info!(hub = %self.config.hub, "relay admits nobody until its authority has answered");
        let mut backoff = Backoff::default();
        loop {
            match self.ask().await {
                Ok((word, ..)) => return word,
                Err(error) => {
                    tracing::warn!(hub = %self.config.hub, %error, "authority did not say what to admit by")
                }
            }
            sleep(backoff.next(&SystemEntropy)).await;
        }
    }

    /// Tells what the authority says until `stop`, and comes back when it was lost: what was last told stays.
    pub async fn run(self, told: Arc<Told>, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.follow_for_ever(&told)).await;
    }

    fn kept_word(&self) -> Option<Word> {
        let kept = self.known().kept(&self.config);
        match &kept {
            Ok(Some(_)) => tracing::info!("relay goes by what its authority said last"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what was kept is not believed"),
        }
        kept.ok().flatten()
    }

    async fn follow_for_ever(&self, told: &Told) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let followed = self.follow(told).await;
            if begun.elapsed() > SETTLED {
                backoff.reset();
            }
            match followed {
                // It is time for a new answer. An authority that says so all the time waits like one that is lost.
                Ok(()) if begun.elapsed() > BRIEF => continue,
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(hub = %self.config.hub, %error, "authority was lost, what it said last counts");
                }
            }
            sleep(backoff.next(&SystemEntropy)).await;
        }
    }

    /// One connection: one answer, then events until it is time for the next answer.
    async fn follow(&self, told: &Told) -> Result<(), Lost> {
        let (word, newest, client) = self.ask().await?;
        tracing::debug!(
            services = word.catalogue.services.len(),
            "authority answered"
        );
        told.tell(word);
        let mut events = client.events().await?;
        let listened = timeout(REFRESH, self.listen(&mut events, newest, told)).await;
        listened.unwrap_or(Ok(()))
    }

    async fn listen(&self, events: &mut Events, newest: Newest, told: &Told) -> Result<(), Lost> {
        loop {
            let event = events.next().await?;
            match event.name.as_str() {
                // A change between the answer and the first event shows in the versions.
                event::BEACON if self.newest(&event.data)? != newest => return Ok(()),
                event::CHANGED => return Ok(()),
                event::SHUT_OUT => {
                    let word = self.known().take_shut_out(&event.data)?;
                    self.keep().await;
                    told.tell(word);
                }
                _ => {}
            }
        }
    }

    /// Asks once, and keeps nothing of it on disk.
    ///
    /// # Errors
    /// When the authority is not reached, does not know this relay, or says what cannot be believed.
    pub async fn look(&self) -> Result<Looked, Lost> {
        let (word, beacon, _) = self.hear().await?;
        let at = self.known().beacon(&beacon, &self.config.org)?.at;
        Ok(Looked { word, at })
    }

    async fn ask(&self) -> Result<(Word, Newest, ApiClient), Lost> {
        let (word, beacon, client) = self.hear().await?;
        self.keep().await;
        let newest = self.newest(&beacon)?;
        Ok((word, newest, client))
    }

    /// The word, and the beacon that came with it.
    async fn hear(&self) -> Result<(Word, String, ApiClient), Lost> {
        let FollowerConfig {
            hub,
            org,
            root,
            noise,
            ..
        } = &self.config;
        let connection = ApiConnection::connect(hub, org, *root, noise).await?;
        let roots = connection.hello.roots.clone();
        let mut client = ApiClient::new(connection).await?;
        let answer: RelayAnswer = client.get(path::RELAY).await?;
        let parts = Parts {
            roots,
            authority: answer.authority,
            idp: answer.idp,
            services: answer.services,
        };
        let word = self
            .known()
            .take(parts, answer.shut_out, &self.config, tidegate_link::now())?;
        Ok((word, answer.beacon, client))
    }

    fn newest(&self, beacon: &str) -> Result<Newest, Lost> {
        Ok(self.known().beacon(beacon, &self.config.org)?.versions)
    }

    /// What cannot be kept is in force all the same.
    async fn keep(&self) {
        let (known, data) = (Arc::clone(&self.known), self.config.data.clone());
        let kept = tokio::task::spawn_blocking(move || lock(&known).store(&data)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(%error, "what is known was not kept");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
