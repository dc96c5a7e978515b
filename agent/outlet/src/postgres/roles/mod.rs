//! Temporary roles: each session of a service that has them runs under a role made for its grant, and gone with it.
//! The login of such a service only makes and clears roles; a newcomer would let sessions run under it, and CREATEROLE is
//! nearly all there is.

mod journal;
mod maker;
mod point;
mod role;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_link::kept::KeptError;
use tidegate_proto::event::EventKind;
use tidegate_proto::names::ServiceName;
use tidegate_proto::permit::Permit;
use tokio::select;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fault::Fault;
use super::service::{Lasting, access};
use super::visit::Visit;
use crate::audit::Audit;
use crate::config::{PostgresTarget, RoleSettings};
use crate::dial::Right;
pub use journal::Duty;
pub(crate) use journal::RoleName;
use journal::{Journal, Prefix};
use point::Point;
pub(super) use role::Lease;
use role::{Ask, Keeper, Wanted};

/// Between two looks at the roles that are there, and after a look that failed at first.
const LOOKS: Duration = Duration::from_mins(10);
const AGAIN: Duration = Duration::from_secs(1);
/// For all roles of an outlet that stops.
const SHUTDOWN: Duration = Duration::from_millis(2_500);
/// For one look.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no role, or why it is still there. The outlet's doctor has the line to write for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RoleFault {
    #[error("the outlet's login may not create roles")]
    MayNotMake,
    #[error("there is no role {0:?} whose rights sessions could have")]
    NoGroup(String),
    #[error("the role {0:?} can log in itself, so a person could give it a password that stays")]
    GroupMayLogIn(String),
    #[error(
        "the role {0:?} may do more than read and write data, and so could everybody who is made a member of it"
    )]
    GroupTooStrong(String),
    #[error(
        "the outlet's login is no member of {0:?}, so it could not give it what a session leaves behind"
    )]
    NotMember(String),
    #[error(
        "whoever is a member of {0:?} is one of {1:?} too, so nobody would be held to reading only"
    )]
    ReadersWrite(String, String),
    #[error("a role {0} is there that no outlet made")]
    NotOurs(RoleName),
    #[error("sessions of {0} do not end")]
    SessionsStay(RoleName),
    #[error("{0} was dropped and is still there")]
    Stays(RoleName),
    #[error(
        "the journal of temporary roles cannot be written; look at the disk of the outlet's data directory"
    )]
    NotKept,
}

/// What an outlet needs to keep the roles of a service.
#[derive(Clone)]
pub(crate) struct RoleKeeping<'o> {
    pub(crate) data: &'o Path,
    /// What tells this outlet from all others.
    pub(crate) outlet: &'o [u8],
    pub(crate) audit: &'o Audit,
}

/// The temporary roles of one service.
pub(super) struct Roles(Arc<Keeping>);

struct Keeping {
    service: ServiceName,
    target: PostgresTarget,
    settings: RoleSettings,
    lasting: Arc<Lasting>,
    prefix: Prefix,
    journal: Journal,
    audit: Audit,
    /// The roles that have a task.
    live: Mutex<HashMap<RoleName, mpsc::UnboundedSender<Ask>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    #[cfg(test)]
    stops_at: tests::StopsAt,
}

impl Roles {
    /// Blocks on the journal.
    pub(super) fn open(
        (service, target): (&ServiceName, &PostgresTarget),
        settings: &RoleSettings,
        lasting: &Arc<Lasting>,
        keeping: &RoleKeeping<'_>,
    ) -> Result<Self, KeptError> {
        let file = format!("roles-{service}.json");
        Ok(Self(Arc::new(Keeping {
            service: service.clone(),
            target: target.clone(),
            settings: settings.clone(),
            lasting: Arc::clone(lasting),
            prefix: Prefix::new(keeping.outlet, service),
            journal: Journal::load(keeping.data.join(file))?,
            audit: keeping.audit.clone(),
            live: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            #[cfg(test)]
            stops_at: tests::StopsAt::default(),
        })))
    }

    /// Clears away what an earlier life of this outlet left, and looks now and then whether anything is there that should not.
    pub(super) fn start(&self) {
        let keeping = Arc::clone(&self.0);
        self.0.tasks.spawn(keeping.watch());
    }

    /// A role for whoever has this permit.
    pub(super) async fn lease(&self, permit: &Permit) -> Result<Lease, Fault> {
        let (reply, answer) = oneshot::channel();
        let name = self.0.prefix.name(permit);
        self.0.ask(&name, Ask::Lease(Wanted::of(permit), reply));
        answer.await.unwrap_or(Err(Fault::Silent))
    }

    /// Clears all roles away, as far as the database answers. To be called when no session is left.
    pub(super) async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        // What is not done by then is done at the next start: the journal has it.
        let _ = timeout(SHUTDOWN, self.0.tasks.wait()).await;
    }
}

impl Drop for Roles {
    /// An outlet that is dropped without a shutdown leaves no task behind either.
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}

impl Keeping {
    /// Brings it to the role's task, which begins if there is none.
    fn ask(self: &Arc<Self>, name: &RoleName, ask: Ask) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let asks = live.entry(name.clone()).or_insert_with(|| {
            let (asks, asked) = mpsc::unbounded_channel();
            let keeper = Keeper {
                keeping: Arc::clone(self),
                name: name.clone(),
            };
            self.tasks.spawn(keeper.run(asked));
            asks
        });
        // The task takes itself from the list before it goes.
        let _ = asks.send(ask);
    }

    /// What the task of a role is to do next; where there is nothing, it is not listed any more.
    fn next(&self, name: &RoleName, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Option<Ask> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let next = asks.try_recv().ok().filter(|_| !self.stop.is_cancelled());
        if next.is_none() {
            live.remove(name);
        }
        next
    }

    fn has_task(&self, name: &RoleName) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.contains_key(name)
    }

    async fn watch(self: Arc<Self>) {
        let mut wait = AGAIN;
        loop {
            for name in self.journal.all().await {
                self.clear_if_left(&name);
            }
            match timeout(LOOK_LIMIT, self.found())
                .await
                .unwrap_or(Err(Fault::Silent))
            {
                Ok(found) => {
                    wait = LOOKS;
                    found.iter().for_each(|name| self.clear_if_left(name));
                }
                Err(fault) => {
                    tracing::warn!(service = %self.service, %fault, "cannot look for temporary roles");
                    wait = (wait * 2).min(LOOKS);
                }
            }
            select! {
                () = self.stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    fn clear_if_left(self: &Arc<Self>, name: &RoleName) {
        if !self.has_task(name) {
            self.ask(name, Ask::Clear);
        }
    }

    async fn found(&self) -> Result<Vec<RoleName>, Fault> {
        let mut visit = self.visit(self.journal.look(), None).await?;
        let found = maker::found(&mut visit, &self.prefix).await?;
        visit.leave().await?;
        Ok(found)
    }

    /// Logs in as the one who makes roles; at the service's database, or another one.
    async fn visit(&self, duty: Duty, database: Option<&str>) -> Result<Visit, Fault> {
        let (target, lasting) = (self.target.clone(), Arc::clone(&self.lasting));
        let read = tokio::task::spawn_blocking(move || access(&target, &lasting));
        let access = read.await.map_err(|_| Fault::NoAddress)??;
        let database = database.unwrap_or(&access.database);
        let why = ("roles", database);
        Visit::begin(Right::Keeping(duty), &access, self.target.accepts, why).await
    }

    /// Nothing depends on it; the journal holds what must be done.
    fn record(self: &Arc<Self>, what: EventKind) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = this.audit.record(what).await {
                tracing::error!(%error, "what became of a temporary role was not recorded");
            }
        });
    }

    #[cfg(test)]
    async fn pass(&self, point: Point) {
        self.stops_at.pass(point).await;
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_async)] // in tests, runs are stopped here
    async fn pass(&self, _: Point) {}
}

/// Whether the login can keep roles for `settings`, as its owner wants to know.
pub(super) async fn fits(visit: &mut Visit, settings: &RoleSettings) -> Result<(), Fault> {
    maker::fits(visit, &settings.member_of).await?;
    let Some(readers) = &settings.read_only_member_of else {
        return Ok(());
    };
    maker::fits(visit, readers).await?;
    maker::is_apart(visit, readers, &settings.member_of).await
}

#[cfg(test)]
mod tests;
