//! The handle on a running agent: start, watch, act, open, shut down.
//! A newcomer would wait for `act` to finish the work: it returns when the order is accepted or refused; the snapshot tells the rest.

use std::sync::Arc;

use tidegate_link::Portal;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Action;
use crate::circuit::Circuits;
use crate::config::AgentConfig;
use crate::control::Server;
use crate::disk::Disk;
use crate::keys::{CALL_LIMIT, Vault};
use crate::lock::Lock;
use crate::run::{Order, Outside, Owner};
use crate::snapshot::Snapshot;

/// Orders that wait to be looked at; who comes when it is full waits.
const ORDERS: usize = 16;

/// A running agent. Dropping it ends everything without ceremony; `shutdown` waits until it has ended.
pub struct Agent {
    inner: Inner,
    owner: JoinHandle<()>,
    control: Server,
    stop: DropGuard,
    _locks: [Lock; 2],
}

/// What handle and control socket share.
#[derive(Clone)]
pub(crate) struct Inner {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    circuits: watch::Receiver<Option<Arc<Circuits>>>,
    orders: mpsc::Sender<Order>,
}

impl Agent {
    /// Starts the one agent of this user, where the last run stopped.
    ///
    /// # Errors
    /// When another agent runs already, or a directory or file cannot be used.
    #[allow(clippy::unused_async)] // it spawns, so it needs a runtime; its type says so
    pub async fn start(config: AgentConfig) -> Result<Self, Problem> {
        let (disk, membership) = Disk::open(&config.data_dir)?;
        let locks = [
            Lock::take(&config.data_dir)?,
            Lock::take_private(&config.runtime_dir)?,
        ];
        let (store, home) = config.store();
        let vault = Vault::new(store, home, CALL_LIMIT);
        let (snapshot, snapshot_out) = watch::channel(Arc::new(Snapshot::empty(home)));
        let (circuits, circuits_out) = watch::channel(None);
        let (orders, orders_out) = mpsc::channel(ORDERS);
        let inner = Inner {
            snapshot: snapshot_out,
            circuits: circuits_out,
            orders,
        };
        let control = Server::start(&config.socket(), inner.clone())?;

        let mut owner = Owner::new(config, disk, vault, Outside { snapshot, circuits });
        if let Some(membership) = membership {
            owner.resume(membership);
        }
        owner.publish();
        let stop = CancellationToken::new();
        let owner = tokio::spawn(owner.run(orders_out, stop.clone()));
        tracing::info!("agent started");
        Ok(Self {
            inner,
            owner,
            control,
            stop: stop.drop_guard(),
            _locks: locks,
        })
    }

    /// The whole truth, each time it changes. Closed once the agent has ended, by `shutdown` or by `Action::Quit` from elsewhere.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.inner.snapshot.clone()
    }

    /// Does what a person asked for. Returns as soon as that is accepted or refused.
    ///
    /// # Errors
    /// Why it was refused; what goes wrong later is in the snapshot.
    pub async fn act(&self, action: Action) -> Result<(), Problem> {
        self.inner.act(action).await
    }

    /// A connection to `service` without a local port: plain bytes for `tcp`, and for `postgres` a server that wants no password and no TLS.
    /// It lasts as long as the person's access does.
    ///
    /// # Errors
    /// Why there is none: not signed in, not allowed, the service does not answer.
    pub async fn open(&self, service: &ServiceName) -> Result<Portal, Problem> {
        let circuits = self.inner.circuits.borrow().clone();
        let circuits = circuits.ok_or_else(|| Problem::new(Code::NotJoined))?;
        circuits.open_portal(service).await
    }

    /// Waits until somebody is signed in and the hub has let them in; after a start this is where the last run stopped.
    ///
    /// # Errors
    /// `NotJoined` or `SignInNeeded` when only a person can go on, or why access was refused.
    pub async fn signed_in(&self) -> Result<(), Problem> {
        let circuits = self.inner.circuits.borrow().clone();
        circuits
            .ok_or_else(|| Problem::new(Code::NotJoined))?
            .let_in()
            .await
    }

    /// Waits until the agent has ended because somebody quit it.
    pub async fn ended(&self) {
        let mut snapshot = self.inner.snapshot.clone();
        while snapshot.changed().await.is_ok() {}
    }

    /// Ends every portal, port, task and the control socket, and waits for it; under five seconds.
    pub async fn shutdown(self) {
        let Self {
            inner,
            owner,
            control,
            stop,
            _locks: locks,
        } = self;
        drop(stop);
        // A task that panicked has nothing more to say here.
        let _ = owner.await;
        control.shutdown().await;
        drop((inner, locks));
        tracing::info!("agent ended");
    }
}

impl Inner {
    pub(crate) fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    pub(crate) async fn act(&self, action: Action) -> Result<(), Problem> {
        let quitting = |_| Problem::new(Code::AppQuitting);
        let (answer, answered) = oneshot::channel();
        let order = Order { action, answer };
        self.orders.send(order).await.map_err(|_| quitting(()))?;
        answered.await.map_err(|_| quitting(()))?
    }
}
