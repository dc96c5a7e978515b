//! An outlet from start to shutdown: opens what it needs or says all at once why not, then owns every task it runs.
//! Starting succeeds without the hub: what was last known counts until the hub is back.

use crate::audit::{Audit, AuditError, StatementAudit, StatementWriter, Writer};
use crate::authority::{Follower, Hander, Teller, Way};
use crate::circuit::{self, Berths};
use crate::clock;
use crate::config::{OutletConfig, ServiceConfig, Target};
use crate::control::Control;
use crate::grants::Clocks;
use crate::keys::{KeysError, OutletKeys, link_key};
use crate::kill::{KillError, KillSwitch};
use crate::known::{Footing, Kept, KeptError, Known, Me};
use crate::links::Links;
use crate::owner::{OwnerError, Source};
use crate::postgres::RoleKeeping;
use crate::premises::{Flood, Gates, Premises, Service};
use crate::provider_keys::Fetcher;
use crate::relays::Relays;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::EventKind;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::ServiceName;
use tidegate_proto::statement::ServiceKind;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Offers that wait for a task; the relay lets those run out that find no place.
const OFFERS: usize = 256;
/// A clock that is so far behind the last sign of life is wrong, in seconds.
const CLOCK_BACK: u64 = 300;

/// Why an outlet does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data directory {}: {why}", path.display())]
    Data { path: PathBuf, why: KeyFileError },
    #[error("another outlet runs with the data directory {}", .0.display())]
    AlreadyRunning(PathBuf),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    Kill(#[from] KillError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Owner(#[from] OwnerError),
    #[error("the owner's socket cannot be made: {0:?}")]
    Control(std::io::ErrorKind),
    #[error("this computer's clock is behind the last time this outlet ran; correct it")]
    ClockBack,
}

/// A running outlet.
pub struct Outlet {
    /// Dropping an outlet without a shutdown ends its tasks too, only with less ceremony.
    stop: DropGuard,
    known: Arc<Known>,
    links: Arc<Links>,
    policy: Source,
    data: PathBuf,
    audit: Audit,
    clocks: Arc<Clocks>,
    tasks: JoinSet<()>,
    circuits: JoinHandle<()>,
    writer: JoinHandle<()>,
    statements: Option<JoinHandle<()>>,
    services: Services,
    /// Held, not read: the lock on the data directory.
    _lock: std::fs::File,
}

impl Outlet {
    /// Starts with this configuration. Blocks on files for a moment.
    ///
    /// # Errors
    /// When anything of its own is missing or in the wrong hands. A hub that is away is no reason.
    pub async fn start(config: OutletConfig) -> Result<Self, StartError> {
        let opened = tokio::task::spawn_blocking(move || Opened::open(config)).await;
        let opened = opened.unwrap_or(Err(StartError::Control(std::io::ErrorKind::Other)))?;
        let recorded = StatementAudit::said_of(&opened.config.services);
        let outlet = opened.run();
        for what in recorded {
            if let Err(error) = outlet.audit.record(what).await {
                tracing::error!(%error, "what is recorded of statements was not recorded");
            }
        }
        Ok(outlet)
    }

    /// Resolves once people can be let in: everything is known that a decision needs, and a relay offers circuits.
    pub async fn ready(&self) {
        let (mut footing, mut links) = (self.known.footing(), self.links.count());
        // The senders live as long as we do.
        let knows_people =
            |footing: &Option<Footing>| footing.as_ref().is_some_and(|f| f.for_proofs().is_some());
        let _ = footing.wait_for(knows_people).await;
        let _ = links.wait_for(|count| *count > 0).await;
    }

    /// Reads the owner's policy again and goes by it at once, running portals included.
    ///
    /// # Errors
    /// When it cannot be used; the one before then stays in force.
    pub async fn reload_policy(&self) -> Result<(), OwnerError> {
        let (source, known, data) = (
            self.policy.clone(),
            Arc::clone(&self.known),
            self.data.clone(),
        );
        let taken = tokio::task::spawn_blocking(move || {
            known.renew_owner(|newest| source.read(newest))?;
            // In force all the same, if it cannot be kept.
            if let Err(error) = known.keep(&data) {
                tracing::error!(%error, "what is known was not kept");
            }
            Ok(())
        });
        taken
            .await
            .unwrap_or_else(|_| Err(self.policy.unreadable()))?;
        let what = EventKind::StandingChanged {
            what: "owner's policy".to_owned(),
        };
        if let Err(error) = self.audit.record(what).await {
            tracing::error!(%error, "a change was not recorded");
        }
        Ok(())
    }

    /// Ends every portal with its reason, closes every record, and leaves nothing behind. Takes less than five seconds.
    pub async fn shutdown(self) {
        let Self {
            stop,
            audit,
            mut tasks,
            circuits,
            writer,
            statements,
            known,
            links,
            data,
            clocks,
            services,
            ..
        } = self;
        drop(stop);
        let _ = circuits.await;
        join_all(services.values().map(|service| service.kind.shutdown())).await;
        drop(services);
        clocks.shutdown().await;
        drop(clocks);
        while tasks.join_next().await.is_some() {}
        drop(links);
        // A shutdown may have interrupted whoever was keeping the newest.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || known.keep(&data)).await {
            tracing::error!(%error, "what is known was not kept");
        }
        if let Err(error) = audit.record(EventKind::Stopped {}).await {
            tracing::error!(%error, "the end was not recorded");
        }
        drop(audit);
        let _ = writer.await;
        if let Some(statements) = statements {
            let _ = statements.await;
        }
        tracing::info!("outlet has stopped");
    }
}

/// Everything that was opened, nothing of it running yet.
struct Opened {
    config: OutletConfig,
    policy: Source,
    lock: std::fs::File,
    keys: Arc<OutletKeys>,
    link_key: Arc<NoiseSecret>,
    known: Arc<Known>,
    kill: Arc<KillSwitch>,
    control: Control,
    audit: Audit,
    writer: Writer,
    statements: Option<(StatementAudit, StatementWriter)>,
    services: Services,
}

/// By name.
type Services = BTreeMap<ServiceName, Arc<Service>>;

impl Opened {
    fn open(config: OutletConfig) -> Result<Self, StartError> {
        let data = |why| StartError::Data {
            path: config.data.clone(),
            why,
        };
        keyfile::private_directory(&config.data).map_err(data)?;
        let lock = lock(&config.data)?;
        let keys = Arc::new(OutletKeys::load(&config.data)?);
        let link_key = Arc::new(link_key(&config.data, &SystemEntropy)?);
        let kept = Kept::load(&config.data)?;
        if clock::now().plus(CLOCK_BACK) < kept.beacon_at {
            return Err(StartError::ClockBack);
        }
        let kill = Arc::new(KillSwitch::load(&config.data)?);
        let policy = Source::of(&config);
        let rules = policy.read(kept.owner)?;
        let is_newer = rules.in_force != kept.owner;
        let control =
            Control::bind(&config.data).map_err(|error| StartError::Control(error.kind()))?;
        let portals = config.limits.circuits;
        let (audit, writer) = Audit::open(
            config.audit.clone(),
            &config.org,
            Arc::clone(&keys),
            portals,
        )?;
        let statements = StatementAudit::of(&config, &keys)?;
        // Outlets may share an identity, but not the key of their links.
        let outlet = link_key.public().to_string();
        let roles = RoleKeeping {
            data: &config.data,
            outlet: outlet.as_bytes(),
            audit: &audit,
        };
        let speakers = statements.as_ref().map(|(audit, _)| audit);
        let services = services(&config.services, speakers, &roles)?;
        let known = Arc::new(Known::new(me(&config, &keys), rules, kept));
        if is_newer {
            known.keep(&config.data)?;
        }
        Ok(Self {
            config,
            policy,
            lock,
            keys,
            link_key,
            known,
            kill,
            control,
            audit,
            writer,
            statements,
            services,
        })
    }

    fn run(self) -> Outlet {
        let stop = CancellationToken::new();
        let links = Arc::new(Links::new());
        let (registration, registered) = watch::channel(None);
        let (offers, offered) = mpsc::channel(OFFERS);
        let Self {
            config,
            policy,
            lock,
            keys,
            link_key,
            known,
            kill,
            control,
            audit,
            writer,
            statements,
            services,
        } = self;
        let (statements, statement_writer) = statements.unzip();
        // Sessions hold what they need of it.
        drop(statements);
        services.values().for_each(|service| service.kind.start());
        let (fetcher, ask_again) = Fetcher::new(
            Arc::clone(&known),
            Arc::clone(&links),
            config.provider_keys,
            config.data.clone(),
        );
        let clocks = Arc::new(Clocks::new(
            Arc::clone(&known),
            config.data.clone(),
            audit.clone(),
        ));
        let way = way(&config, &keys, &link_key);
        let teller = Teller {
            way: way.clone(),
            known: Arc::clone(&known),
            clocks: Arc::clone(&clocks),
        };
        let hander = Hander {
            way: way.clone(),
            place: config.audit,
            keeps_here: config.keep_records_here,
            durable: audit.durable(),
        };
        let starting = Arc::clone(&clocks);
        let follower = Follower {
            way,
            data: config.data.clone(),
            known: Arc::clone(&known),
            audit: audit.clone(),
            registration,
        };
        let org = config.org.clone();
        let relays = Relays {
            org,
            keys: Arc::clone(&keys),
            link_key,
            links: Arc::clone(&links),
            offers,
            registration: registered,
        };
        let premises = Premises {
            org: config.org,
            keys,
            services: services.clone(),
            footing: known.footing(),
            killed: kill.watch(),
            audit: audit.clone(),
            clocks,
            ask_again,
            limits: config.limits,
            gates: Arc::new(Gates::new(&config.limits)),
            berths: Berths::new(&SystemEntropy),
            stop: stop.clone(),
            refusals: Flood::new(Instant::now()),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(follower.run(stop.clone()));
        tasks.spawn(teller.run(stop.clone()));
        tasks.spawn(hander.run(stop.clone()));
        tasks.spawn(fetcher.run(stop.clone()));
        tasks.spawn(relays.run(stop.clone()));
        tasks.spawn(control.serve(kill, audit.clone(), stop.clone()));
        let circuits = tokio::spawn(circuit::serve_all(Arc::new(premises), offered));
        let writer = tokio::spawn(writer.run());
        Outlet {
            stop: stop.drop_guard(),
            known,
            links,
            clocks: starting,
            policy,
            data: config.data,
            audit,
            tasks,
            circuits,
            writer,
            statements: statement_writer.map(|writer| tokio::spawn(writer.run())),
            services,
            _lock: lock,
        }
    }
}

fn way(config: &OutletConfig, keys: &Arc<OutletKeys>, link_key: &Arc<NoiseSecret>) -> Way {
    Way {
        hub: config.hub.clone(),
        org: config.org.clone(),
        root: config.root,
        keys: Arc::clone(keys),
        link_key: Arc::clone(link_key),
    }
}

/// Blocks on the journals of their roles.
fn services(
    configured: &[ServiceConfig],
    statements: Option<&StatementAudit>,
    roles: &RoleKeeping<'_>,
) -> Result<Services, KeptError> {
    let service = |config: &ServiceConfig| {
        let service = Service::new(config.clone(), statements.cloned(), roles)?;
        Ok((config.name.clone(), Arc::new(service)))
    };
    configured.iter().map(service).collect()
}

fn me(config: &OutletConfig, keys: &OutletKeys) -> Me {
    let kind = |target: &Target| match target {
        Target::Tcp(_) => ServiceKind::Tcp,
        Target::Postgres(_) => ServiceKind::Postgres,
    };
    Me {
        org: config.org.clone(),
        root: config.root,
        identity: keys.identity.verify_key(),
        noise: keys.noise.public(),
        read_only: config
            .services
            .iter()
            .filter(|service| service.target.holds_read_only())
            .map(|service| service.name.clone())
            .collect(),
        kinds: config
            .services
            .iter()
            .map(|service| (service.name.clone(), kind(&service.target)))
            .collect(),
    }
}

/// Two outlets on one data directory would break each other's audit.
fn lock(data: &Path) -> Result<std::fs::File, StartError> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let opened = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data.join("lock"));
    let failed = |error: std::io::Error| StartError::Data {
        path: data.to_owned(),
        why: KeyFileError::Io(error.kind()),
    };
    let file = opened.map_err(failed)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| StartError::AlreadyRunning(data.to_owned()))?;
    Ok(file)
}
