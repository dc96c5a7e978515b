//! The handle on a running agent: start, watch, act, open, shut down.
//! A newcomer would wait for `act` to finish the work: it returns when the order is accepted or refused; the snapshot tells the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_link::Portal;
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::circuit::Circuits;
use crate::config::AgentConfig;
use crate::control::Server;
use crate::disk::Orgs;
use crate::inlet::postgres::Front;
use crate::keys::{CALL_LIMIT, Vault};
use crate::lock::Lock;
use crate::pg_service;
use crate::platform::limits;
use crate::ports::Ports;
use crate::run::{Answered, Board, Household, Kit, ORDERS, Order, Route, Sockets};
use crate::snapshot::Snapshot;
use crate::{Action, ServiceRef};

/// A running agent. Dropping it ends everything without ceremony; `shutdown` waits until it has ended.
pub struct Agent {
    inner: Inner,
    household: JoinHandle<()>,
    control: Option<Server>,
    stop: DropGuard,
    _locks: [Lock; 2],
}

/// What handle and control socket share.
#[derive(Clone)]
pub(crate) struct Inner {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    routes: watch::Receiver<BTreeMap<OrgName, Route>>,
    orders: mpsc::Sender<Order>,
}

impl Agent {
    /// Starts the one agent of this user, where the last run stopped.
    ///
    /// # Errors
    /// When another agent runs already, or a directory or file cannot be used.
    pub async fn start(config: AgentConfig) -> Result<Self, Problem> {
        let orgs = Orgs::open(&config.data_dir)?;
        let locks = [
            Lock::take(&config.data_dir)?,
            Lock::take_private(&config.runtime_dir)?,
        ];
        let found = orgs.load();
        let (store, home) = config.store();
        let vault = Vault::new(store, home, CALL_LIMIT);
        let (board, snapshot) = Board::new(vault.clone());
        let routes = watch::Sender::new(BTreeMap::new());
        let (orders, orders_out) = mpsc::channel(ORDERS);
        let inner = Inner {
            snapshot,
            routes: routes.subscribe(),
            orders,
        };
        let control = match config.alone {
            true => None,
            false => Some(Server::start(&config.socket(), inner.clone())?),
        };
        let kit = Kit {
            vault,
            clock: config.clock,
            browser: Arc::from(config.browser),
            front: Arc::new(Front::new()),
            ports: Ports::new(
                config.ports,
                config.data_dir.join("ports.json"),
                config.settings_file,
            ),
            sockets: Arc::new(Sockets {
                wishes: config.sockets,
                own: config.runtime_dir.join("sockets"),
            }),
            max_connections: config.max_connections,
            short_lived: config.short_lived,
        };
        let mut household = Household::new(kit, board, orgs, routes);
        household.resume(found).await;
        let stop = CancellationToken::new();
        let household = tokio::spawn(household.run(orders_out, stop.clone()));
        let open_files = limits::raise_open_files();
        tracing::info!(open_files, "agent started");
        Ok(Self {
            inner,
            household,
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
    pub async fn open(&self, service: &ServiceRef) -> Result<Portal, Problem> {
        let circuits = self.inner.circuits(&service.org)?;
        circuits.open_portal(&service.service, &[]).await
    }

    /// Waits until somebody is signed in to `org` and its hub has let them in; after a start this is where the last run stopped.
    ///
    /// # Errors
    /// `NotJoined` or `SignInNeeded` when only a person can go on, or why access was refused.
    pub async fn signed_in(&self, org: &OrgName) -> Result<(), Problem> {
        self.inner.circuits(org)?.let_in().await
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
            household,
            control,
            stop,
            _locks: locks,
        } = self;
        drop(stop);
        // A task that panicked has nothing more to say here.
        let _ = household.await;
        if let Some(control) = control {
            control.shutdown().await;
        }
        drop((inner, locks));
        tracing::info!("agent ended");
    }
}

#[cfg(test)]
impl Agent {
    /// What opens portals to this org's services.
    pub(crate) fn circuits(&self, org: &OrgName) -> Arc<Circuits> {
        self.inner
            .circuits(org)
            .unwrap_or_else(|_| panic!("a member of {org}"))
    }
}

impl Inner {
    pub(crate) fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    fn circuits(&self, org: &OrgName) -> Result<Arc<Circuits>, Problem> {
        let routes = self.routes.borrow();
        let route = routes.get(org).ok_or_else(|| self.not_joined())?;
        Ok(Arc::clone(&route.circuits))
    }

    fn not_joined(&self) -> Problem {
        self.snapshot.borrow().not_joined()
    }

    pub(crate) async fn act(&self, action: Action) -> Result<(), Problem> {
        if let Action::WritePgService { service } = action {
            return pg_service::write_section(self.snapshot(), service).await;
        }
        let quitting = || Problem::new(Code::AppQuitting);
        let orders = match action.org() {
            None => self.orders.clone(),
            Some(org) => match self.routes.borrow().get(org) {
                Some(route) => route.orders.clone(),
                None => return Err(self.not_joined()),
            },
        };
        let (answer, answered) = Answered::new();
        let order = Order::Act(action, answer);
        orders.send(order).await.map_err(|_| quitting())?;
        answered.await.map_err(|_| quitting())?
    }
}
