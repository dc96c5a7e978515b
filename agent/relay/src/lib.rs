//! The relay: admits links by `tg-pass` or an outlet's own chain, joins the two halves of a circuit, and moves ciphertext.
//! It knows orgs, pseudonyms, opaque handles, sizes, times and addresses, and can open no channel that it carries.

mod account;
mod admission;
mod budget;
mod circuit;
pub mod follow;
mod limits;
mod link;
mod registry;
mod shut_out;

pub use limits::Limits;

use circuit::Circuits;
use registry::Registry;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tidegate_link::{Doorstep, Guest};
use tidegate_proto::{
    channel::CircuitToken,
    identity::{NoiseSecret, PeerId},
    names::{HubAddress, OrgName, ServiceName},
    statement::AuthorityStatement,
    time::UnixTime,
};
use tokio::{net::TcpStream, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a relay needs to be one.
pub struct RelayConfig {
    pub org: OrgName,
    /// Already verified from the root; a newer one is taken as it comes.
    pub authority: watch::Receiver<AuthorityStatement>,
    /// The relay's own key, as catalogue entries name it.
    pub noise: NoiseSecret,
    /// The one host that key tunnels lead to, from `tg-idp`.
    pub key_host: watch::Receiver<HubAddress>,
    /// The pseudonyms that were shut out while passes of theirs may still be good.
    pub shut_out: watch::Receiver<Arc<BTreeSet<String>>>,
    /// What is in force in the catalogue: what chains of outlets are held against.
    pub catalogue: watch::Receiver<Arc<Catalogue>>,
    pub limits: Limits,
    pub clock: Clock,
}

/// As much of the catalogue as it takes to know an outlet while the authority is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// Fingerprint of the newest root.
    pub root: PeerId,
    /// The version of each service's entry.
    pub services: BTreeMap<ServiceName, u64>,
}

/// The wall clock: `Arc::new(tidegate_link::now)`, or one that a test moves by hand.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// A running relay. Clones are the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    config: RelayConfig,
    /// Those in the handshake.
    strangers: Arc<Doorstep>,
    registry: Registry,
    circuits: Circuits,
    tasks: TaskTracker,
    draining: CancellationToken,
    stop: CancellationToken,
}

impl Relay {
    /// A relay that serves the connections it is given. Called within a runtime: one task of its own begins here.
    #[must_use]
    pub fn new(config: RelayConfig) -> Self {
        let shut_out = config.shut_out.clone();
        let relay = Self(Arc::new(Inner {
            strangers: Doorstep::new(config.limits.strangers),
            registry: Registry::new(config.limits),
            circuits: Circuits::default(),
            config,
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
        }));
        let inner = Arc::clone(&relay.0);
        relay.0.tasks.spawn(shut_out::follow(inner, shut_out));
        relay
    }

    /// Serves a control connection whose preface said so, in a task of the relay's.
    pub fn serve_link(&self, tcp: TcpStream, guest: Guest) {
        let guest = guest.move_on(&self.0.strangers);
        self.0
            .tasks
            .spawn(link::serve(Arc::clone(&self.0), tcp, guest));
    }

    /// Gives one half of a circuit to whom its token belongs. A token nobody waits for closes the connection.
    pub fn serve_circuit(&self, tcp: TcpStream, token: CircuitToken) {
        self.0.circuits.arrive(token, tcp);
    }

    /// Tells every link to go elsewhere and opens no circuit any more; those that exist go on.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Circuits now: waiting to be joined, or carrying bytes.
    #[must_use]
    pub fn circuits(&self) -> usize {
        self.0.registry.circuits()
    }

    /// Connections that shake hands now.
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.0.strangers.crowd()
    }

    /// Links now.
    #[must_use]
    pub fn links(&self) -> usize {
        self.0.registry.links()
    }

    /// Ends every link and circuit, and waits for the tasks.
    pub async fn shutdown(self) {
        self.0.draining.cancel();
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}
