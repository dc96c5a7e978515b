//! `tidegate hub`: authority and relay in one process, on one port. They are separate crates and meet only here.
//! The first four bytes of a connection say whose it is; neither part is handed anything of the other's but public statements.

mod config;
mod keys;
mod run;

use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;
use tidegate_authority::{Authority, AuthorityConfig, SystemClock};
use tidegate_link::{Guest, Preface, read_preface};
use tidegate_proto::{
    names::{HubAddress, OrgName},
    statement::{AuthorityStatement, OrgBundle},
};
use tidegate_relay::{Catalogue, Limits, Relay, RelayConfig};
use tokio::{net::TcpStream, sync::watch};

use crate::{
    failure::Failure,
    reception::Reception,
    relay::keys::relay_key,
    signals::{Signal, Signals},
    trouble::Trouble,
};
use config::HubConfig;

#[derive(clap::Args)]
pub(crate) struct HubArgs {
    #[command(subcommand)]
    verb: HubVerb,
}

#[derive(Subcommand)]
enum HubVerb {
    /// Make the hub's keys if there are none, and print what goes into org.toml.
    Keys(keys::Keys),
    /// Run until told to end (SIGTERM); read the bundle again when told to (SIGHUP).
    Run(run::Run),
}

impl HubArgs {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            HubVerb::Keys(verb) => verb.run(),
            HubVerb::Run(verb) => verb.run().await,
        }
    }
}

/// Authority and relay side by side.
struct Hub {
    config: HubConfig,
    authority: Arc<Authority>,
    relay: Relay,
    /// What the relay is told of a new bundle.
    statement: watch::Sender<AuthorityStatement>,
    key_host: watch::Sender<HubAddress>,
    catalogue: watch::Sender<Arc<Catalogue>>,
}

impl Hub {
    async fn open(config: HubConfig) -> Result<Self, Failure> {
        let relay_key = relay_key(&keys::relay_data(&config.data))?;
        let bundle = read_bundle(&config.bundle)?;
        let settings = AuthorityConfig {
            data: keys::authority_data(&config.data),
            anchor: config.anchor.clone(),
        };
        let authority = Authority::open(settings, bundle, Arc::new(SystemClock)).await;
        let authority = authority.map_err(Trouble::AuthorityRefused)?;
        let statement = watch::Sender::new(authority.statement());
        let key_host = watch::Sender::new(authority.key_host());
        let catalogue = watch::Sender::new(catalogue_of(&authority));
        let relay = Relay::new(RelayConfig {
            org: config.anchor.org.clone(),
            authority: statement.subscribe(),
            noise: relay_key,
            key_host: key_host.subscribe(),
            shut_out: authority.shut_out(),
            catalogue: catalogue.subscribe(),
            limits: Limits::default(),
            clock: Arc::new(tidegate_link::now),
        });
        Ok(Self {
            config,
            authority: Arc::new(authority),
            relay,
            statement,
            key_host,
            catalogue,
        })
    }

    fn org(&self) -> &OrgName {
        &self.config.anchor.org
    }

    /// Serves until told to end, then drains.
    async fn run(self, mut reception: Reception, mut signals: Signals) {
        loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::End => break,
                    Signal::Reload => self.reload().await,
                },
                (tcp, guest) = reception.next() => {
                    let hall = Hall { authority: Arc::clone(&self.authority), relay: self.relay.clone() };
                    reception.serve(hall.receive(tcp, guest));
                }
            }
        }
        self.shutdown(reception).await;
    }

    /// Everything ends in less than five seconds.
    async fn shutdown(self, reception: Reception) {
        tracing::info!(
            connections = reception.connections(),
            circuits = self.relay.circuits(),
            "hub is draining"
        );
        self.authority.drain();
        self.relay.drain();
        reception.close().await;
        self.relay.shutdown().await;
        if let Some(authority) = Arc::into_inner(self.authority) {
            authority.shutdown().await;
        }
    }

    /// Puts the bundle file in force again; the old one stays when the new one is refused.
    async fn reload(&self) {
        let bundle = match read_bundle(&self.config.bundle) {
            Ok(bundle) => bundle,
            Err(failure) => {
                tracing::warn!(why = failure.line(), "bundle was not read again");
                return;
            }
        };
        match self.authority.reload(bundle).await {
            Ok(changes) => {
                for change in &changes {
                    tracing::info!(%change, "bundle changed");
                }
                tracing::info!(changes = changes.len(), "bundle was read again");
                self.statement.send_replace(self.authority.statement());
                self.key_host.send_replace(self.authority.key_host());
                self.catalogue.send_replace(catalogue_of(&self.authority));
            }
            Err(error) => tracing::warn!(%error, "bundle was refused, the old one stays in force"),
        }
    }
}

/// Where a connection is asked whom it wants.
struct Hall {
    authority: Arc<Authority>,
    relay: Relay,
}

impl Hall {
    /// All that a stranger costs, until it has said what it wants: what comes then is boxed.
    async fn receive(self, mut tcp: TcpStream, guest: Guest) {
        let served = match guest.within(read_preface(&mut tcp)).await {
            Ok(Preface::Api) => Box::pin(self.authority.serve_api(tcp, guest)).await,
            Ok(Preface::Link) => {
                self.relay.serve_link(tcp, guest);
                Ok(())
            }
            Ok(Preface::Circuit(token)) => {
                self.relay.serve_circuit(tcp, token);
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection did not get through the door");
        }
    }
}

fn catalogue_of(authority: &Authority) -> Arc<Catalogue> {
    let (root, services) = authority.catalogue();
    Arc::new(Catalogue { root, services })
}

fn read_bundle(path: &Path) -> Result<OrgBundle, Failure> {
    let damaged = || Trouble::BundleDamaged {
        path: path.to_owned(),
    };
    let unreadable = |error: std::io::Error| Trouble::BundleUnreadable {
        path: path.to_owned(),
        error: error.kind(),
    };
    let facts = std::fs::metadata(path).map_err(unreadable)?;
    if !facts.is_file() || facts.len() > OrgBundle::MAX as u64 {
        return Err(damaged().into());
    }
    let json = std::fs::read(path).map_err(unreadable)?;
    Ok(OrgBundle::parse(&json).map_err(|_| damaged())?)
}
