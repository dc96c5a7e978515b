//! The loop: one order or report at a time, then a new snapshot if anything changed.
//! Nothing in here waits for the network or a person; what does is a task of its own that reports back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::door::DoorReport;
use super::forgetting::Forgetting;
use super::orders::{Order, TaskReport};
use super::state::{Account, Door, State, Task, Way};
use crate::Action;
use crate::circuit::{Admission, Circuits};
use crate::clock::Clock;
use crate::config::AgentConfig;
use crate::disk::Disk;
use crate::hub::report::HubReport;
use crate::inlet::door::Awaited;
use crate::inlet::postgres::Front;
use crate::keys::Vault;
use crate::signin::browser::OpenBrowser;
use crate::signin::porch::Porch;
use crate::snapshot::Snapshot;

/// How often bytes are counted anew while something is connected.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long tabs may take to be told.
const TABS: Duration = Duration::from_secs(1);
/// How long everything may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the owner shares with the handle that people hold.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) circuits: watch::Sender<Option<Arc<Circuits>>>,
}

/// The keeper of one session, and what it says.
pub(super) struct HubTask {
    pub(super) task: Task,
    pub(super) reports: mpsc::Receiver<HubReport>,
}

/// What the owner works with and never changes.
pub(super) struct Tools {
    pub(super) vault: Vault,
    pub(super) clock: Clock,
    pub(super) browser: Arc<dyn OpenBrowser>,
    /// Where tabs of sign-ins come back to.
    pub(super) porch: Porch,
    /// Fresh at each start, in memory only.
    pub(super) noise: Arc<NoiseSecret>,
    pub(super) front: Arc<Front>,
    pub(super) refresh_lock: PathBuf,
    pub(super) max_connections: usize,
    pub(super) short_lived: bool,
    pub(super) task_reports: mpsc::Sender<TaskReport>,
    pub(super) door_reports: mpsc::Sender<DoorReport>,
}

pub(crate) struct Owner {
    pub(super) state: State,
    pub(super) disk: Disk,
    pub(super) tools: Tools,
    pub(super) admission: watch::Sender<Admission>,
    pub(super) awaited: watch::Sender<Option<Awaited>>,
    pub(super) hub: Option<HubTask>,
    pub(super) greeting: Option<Task>,
    /// Tabs in the browser that are still to hear how it ended, and links that say goodbye.
    pub(super) farewells: JoinSet<()>,
    pub(super) forgetting: Forgetting,
    attempts: u64,
    task_reports: mpsc::Receiver<TaskReport>,
    door_reports: mpsc::Receiver<DoorReport>,
    pub(super) outside: Outside,
}

impl Owner {
    pub(crate) fn new(config: AgentConfig, disk: Disk, vault: Vault, outside: Outside) -> Self {
        let (task_reports, task_reports_out) = mpsc::channel(32);
        let (door_reports, door_reports_out) = mpsc::channel(64);
        Self {
            state: State::new(config.ports),
            disk,
            tools: Tools {
                vault,
                clock: config.clock,
                browser: Arc::from(config.browser),
                porch: Porch::default(),
                noise: Arc::new(NoiseSecret::generate(&SystemEntropy)),
                front: Arc::new(Front::new()),
                refresh_lock: config.data_dir.join("refresh.lock"),
                max_connections: config.max_connections,
                short_lived: config.short_lived,
                task_reports,
                door_reports,
            },
            admission: watch::Sender::new(Admission::None(Problem::new(Code::SignInNeeded))),
            awaited: watch::Sender::new(None),
            hub: None,
            greeting: None,
            farewells: JoinSet::new(),
            forgetting: Forgetting::default(),
            attempts: 0,
            task_reports: task_reports_out,
            door_reports: door_reports_out,
            outside,
        }
    }

    /// Runs until Quit or `stop`, then ends everything it started.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        let mut count = interval(COUNT_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.publish();
            tokio::select! {
                () = stop.cancelled() => break,
                order = orders.recv() => match order {
                    None => break,
                    Some(order) => if self.obey(order).await { break },
                },
                Some(report) = self.task_reports.recv() => self.on_task(report).await,
                Some(report) = self.door_reports.recv() => self.on_door(report).await,
                report = next(&mut self.hub) => self.on_hub(report).await,
                Some(_) = self.farewells.join_next() => {}
                _ = count.tick(), if self.state.is_any_open() => self.recount(),
            }
        }
        // A part that hangs must not keep the app from quitting.
        if timeout(FAREWELL, self.end()).await.is_err() {
            tracing::warn!("agent did not end in time");
        }
    }

    /// Whether that was the last order.
    async fn obey(&mut self, order: Order) -> bool {
        let Order { action, answer } = order;
        let is_last = matches!(action, Action::Quit);
        let result = match action {
            Action::Join { link } => self.join(&link),
            Action::SignIn => self.sign_in(Way::Browser).await,
            Action::SignInWithCode => self.sign_in(Way::Code).await,
            Action::CancelSignIn => {
                self.cancel_sign_in().await;
                Ok(())
            }
            Action::SignOut => self.sign_out().await,
            Action::Connect { service } => self.connect(&service).await,
            Action::Disconnect { service } => self.disconnect(&service),
            Action::DismissProblem { code } => {
                self.state.better(&[code]);
                Ok(())
            }
            Action::Leave => self.leave().await,
            Action::Quit => Ok(()),
        };
        // Whoever is answered finds the snapshot up to date.
        self.publish();
        let _ = answer.send(result);
        is_last
    }

    /// A number that no earlier attempt at anything had.
    pub(super) fn attempt(&mut self) -> u64 {
        self.attempts += 1;
        self.attempts
    }

    pub(super) fn newest_attempt(&self) -> u64 {
        self.attempts
    }

    /// Says how things are. The first time before anybody can look.
    pub(crate) fn publish(&mut self) {
        let awaited = self.state.awaited();
        self.awaited
            .send_if_modified(|old| std::mem::replace(old, awaited) != awaited);
        let new = self
            .state
            .snapshot(self.tools.vault.home(), self.tools.clock.now());
        self.outside.snapshot.send_if_modified(|old| {
            let changed = **old != new;
            if changed {
                *old = Arc::new(new);
            }
            changed
        });
    }

    /// Ends all that runs, in the order in which people would notice.
    async fn end(mut self) {
        // Nobody reads reports any more: whoever sends one must not wait for that.
        self.task_reports.close();
        self.door_reports.close();
        let why = Problem::new(Code::AppQuitting);
        let doors = std::mem::take(&mut self.state.doors);
        join_all(
            doors
                .into_values()
                .filter_map(Door::into_handle)
                .map(|handle| handle.finish(why.clone())),
        )
        .await;
        if let Some(hub) = self.hub.take() {
            hub.task.end().await;
        }
        if let Some(greeting) = self.greeting.take() {
            greeting.end().await;
        }
        self.end_sign_in(Code::SignInInterrupted);
        self.state.account = Account::NotJoined;
        self.forgetting.finish().await;
        // Nobody waits for tabs that have not come back; one that has is told.
        self.tools.porch.close();
        let _ = timeout(TABS, async {
            while self.farewells.join_next().await.is_some() {}
        })
        .await;
        self.farewells.shutdown().await;
        self.outside.circuits.send_replace(None);
        if let Some(home) = self.state.home.take() {
            home.circuits.shutdown(Code::AppQuitting).await;
        }
    }
}

/// The hub keeper's next report; for ever nothing without a keeper.
async fn next(hub: &mut Option<HubTask>) -> HubReport {
    let report = match hub {
        Some(hub) => hub.reports.recv().await,
        None => None,
    };
    match report {
        Some(report) => report,
        None => std::future::pending().await,
    }
}
