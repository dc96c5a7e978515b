//! The authority as a whole: opened on a data directory, serving connections it is given, reloading, shutting down.
//! It owns one task, the beat; the connections are its caller's tasks, who joins them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_link::{
    Guest, LinkError,
    keyfile::{self, KeyFileError},
};
use tidegate_proto::{
    entropy::{Entropy, SystemEntropy},
    event::EventKind,
    identity::PeerId,
    names::{HubAddress, ServiceName},
    statement::{AuthorityStatement, Beacon, OrgBundle},
};
use tokio::{
    net::TcpStream,
    sync::{Mutex, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Accesses,
    audit::{Audit, AuditError, Gathered},
    clock::Clock,
    connection::Door,
    core::{Core, make_signs, pseudonyms_shut_out},
    in_force::{Anchor, BundleError, Change, InForce},
    introductions::Introductions,
    keys::{AuthorityKeys, KeysError},
    pace::Pace,
    provider_keys::ProviderKeys,
    store::{SqliteStore, Store, StoreError},
};

/// How long a person is shown what was recorded about them, in seconds, and how many lines of it at most.
/// The record itself is kept for ever.
const SHOWN_FOR: u64 = 90 * 86_400;
const SHOWN_MOST: u32 = 2_000;

/// Where an authority lives and whose it is.
#[derive(Clone, Debug)]
pub struct AuthorityConfig {
    /// Keys, store and record; for the owner only.
    pub data: PathBuf,
    pub anchor: Anchor,
}

/// Why an authority does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("another process is using the data directory")]
    InUse,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// A running authority.
pub struct Authority {
    core: Arc<Core>,
    door: Door,
    beat: JoinHandle<()>,
    /// Held until the end: two processes on one store would each beat.
    _lock: File,
}

impl Authority {
    /// Opens the data directory and puts `bundle` in force.
    ///
    /// # Errors
    /// When keys, store or record cannot be used, or the bundle is not believed or older than what was in force.
    pub async fn open(
        config: AuthorityConfig,
        bundle: OrgBundle,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        keyfile::private_directory(&config.data).map_err(KeysError::from)?;
        let store = SqliteStore::open(&config.data.join("authority.sqlite")).await?;
        Self::open_on(Arc::new(store), config, bundle, clock).await
    }

    /// As `open`, with another memory than the one in the data directory.
    ///
    /// # Errors
    /// As `open`.
    pub async fn open_on(
        store: Arc<dyn Store>,
        config: AuthorityConfig,
        bundle: OrgBundle,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let keys = Arc::new(AuthorityKeys::open_or_make(&config.data, &*entropy)?);
        let lock = lock(&config)?;
        let audit = Audit::open(
            &config.data.join("audit"),
            &config.anchor.org,
            Arc::clone(&keys),
        )?;
        let gathered = config.data.join("gathered");
        let gathered = Arc::new(Gathered::open(&gathered, &config.anchor.org)?);
        let now = clock.now();
        let in_force = InForce::take(bundle, &config.anchor, &keys, &*store, now).await?;
        let signs = make_signs(&keys, &in_force, &*store, now).await?;
        let shut_out = pseudonyms_shut_out(&config.anchor, &keys, &*store, now).await?;
        let accesses = Accesses::load(&*store, &*entropy, now).await?;
        let core = Arc::new(Core {
            anchor: config.anchor,
            keys,
            clock,
            entropy,
            store,
            audit,
            gathered,
            provider: ProviderKeys::default(),
            in_force: watch::Sender::new(Arc::new(in_force)),
            signs: watch::Sender::new(Arc::new(signs)),
            replacing: Mutex::default(),
            shut_out: watch::Sender::new(Arc::new(shut_out)),
            beating: Mutex::default(),
            draining: CancellationToken::new(),
            pace: Pace::default(),
            pace_of_looks: Pace::default(),
            introductions: Introductions::default(),
            accesses,
            duties: TaskTracker::new(),
        });
        let version = env!("CARGO_PKG_VERSION").to_owned();
        core.audit
            .record(now, EventKind::Started { version })
            .await?;
        let beat = tokio::spawn(beat(Arc::clone(&core)));
        Ok(Self {
            core,
            door: Door::new(),
            beat,
            _lock: lock,
        })
    }

    /// Serves a connection whose preface asked for the API, to its end.
    ///
    /// # Errors
    /// When the peer did not get through the handshake.
    pub async fn serve_api(&self, tcp: TcpStream, guest: Guest) -> Result<(), LinkError> {
        self.door.serve(&self.core, tcp, guest).await
    }

    /// Puts a new bundle in force and says what changed. The old one stays when the new one is refused.
    ///
    /// # Errors
    /// When it is not believed, or any part of it is older than what was in force.
    pub async fn reload(&self, bundle: OrgBundle) -> Result<Vec<Change>, BundleError> {
        let changes = self.core.replace(bundle).await?;
        let what = changes
            .iter()
            .map(Change::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        if !changes.is_empty()
            && self
                .core
                .record(EventKind::StandingChanged { what })
                .await
                .is_err()
        {
            tracing::error!("change of the bundle could not be recorded");
        }
        Ok(changes)
    }

    /// By which statement this authority speaks; ask again after a reload.
    #[must_use]
    pub fn statement(&self) -> AuthorityStatement {
        self.core.in_force.borrow().org.authority.clone()
    }

    /// `host:port` of the identity provider's keys: the one host a relay may tunnel to.
    #[must_use]
    pub fn key_host(&self) -> HubAddress {
        self.core.in_force.borrow().org.idp.key_host.clone()
    }

    /// The newest root's fingerprint, and the version of each service's entry; ask again after a reload.
    #[must_use]
    pub fn catalogue(&self) -> (PeerId, BTreeMap<ServiceName, u64>) {
        let in_force = self.core.in_force.borrow();
        let versions = in_force.org.services.iter();
        let versions = versions.map(|entry| (entry.service.clone(), entry.version));
        (in_force.org.root.peer_id(), versions.collect())
    }

    /// The pseudonyms that were shut out while passes of theirs may still be good, as they change: relays end their links.
    #[must_use]
    pub fn shut_out(&self) -> watch::Receiver<Arc<BTreeSet<String>>> {
        self.core.shut_out.subscribe()
    }

    /// From here on every connection ends within seconds; join their tasks, then call `shutdown`.
    pub fn drain(&self) {
        self.core.draining.cancel();
    }

    /// Ends the beat and lets go of the files.
    pub async fn shutdown(self) {
        self.drain();
        if self.beat.await.is_err() {
            tracing::error!("beat ended in a panic");
        }
        self.core.duties.close();
        self.core.duties.wait().await;
        if self.core.record(EventKind::Stopped {}).await.is_err() {
            tracing::error!("end could not be recorded");
        }
        self.core.store.close().await;
    }
}

fn lock(config: &AuthorityConfig) -> Result<File, OpenError> {
    let unusable =
        |error: std::io::Error| OpenError::Keys(KeysError::File(KeyFileError::Io(error.kind())));
    let file = File::create(config.data.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// A beacon every five seconds, and a word to the administrator before our statement runs out.
async fn beat(core: Arc<Core>) {
    let mut ticks = interval(Duration::from_secs(Beacon::EVERY));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut warnings = interval(Duration::from_secs(3600)); // and what else needs doing once an hour
    loop {
        tokio::select! {
            biased;
            () = core.draining.cancelled() => return,
            _ = warnings.tick() => {
                warn_of_end(&core);
                if let Err(error) = core.accesses.tidy(&*core.store, core.now()).await {
                    tracing::error!(%error, "old requests for access were not forgotten");
                }
                let old = core.now().minus(SHOWN_FOR);
                if let Err(error) = core.store.forget_records(old, SHOWN_MOST).await {
                    tracing::error!(%error, "old lines of the record are still shown");
                }
            }
            _ = ticks.tick() => {
                // A beacon that fails is missed by all who listen: silence is the alarm.
                if let Err(error) = core.beat().await {
                    tracing::error!(%error, "beacon could not be made");
                }
            }
        }
    }
}

fn warn_of_end(core: &Core) {
    let statement = core.in_force.borrow().org.authority.clone();
    let left = core.now().until(statement.not_after);
    if left < AuthorityStatement::WARNING {
        let days = left / 86_400;
        tracing::warn!(
            days,
            "authority's statement runs out soon; sign the org again and reload"
        );
    }
}
