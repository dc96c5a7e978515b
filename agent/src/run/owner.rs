//! The loop of one org: one order or report at a time, then a new snapshot if anything changed.
//! Nothing in here waits for the network or a person; what does is a task of its own that reports back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::account::{Account, Input, SignInWay};
use super::board::Board;
use super::door::DoorReport;
use super::effects::Work;
use super::forgetting::Forgetting;
use super::household::KEYRING_AGAIN;
use super::keeping::KEEP_AGAIN;
use super::orders::{Order, TaskNews, TaskReport};
use super::sockets::Sockets;
use super::state::{Door, State, Task};
use super::troubles;
use crate::Action;
use crate::circuit::{Admission, Circuits, Links};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::hub::report::HubReport;
use crate::inlet::host::Awaited;
use crate::inlet::postgres::Front;
use crate::keys::Vault;
use crate::ports::Ports;
use crate::signin::browser::OpenBrowser;
use crate::signin::porch::Porch;

/// How often bytes are counted anew while something is connected.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long tabs may take to be told.
const TABS: Duration = Duration::from_secs(1);
/// As `LEAVING`, once the app is quit meanwhile; the household waits longer than that.
const HURRIED: Duration = Duration::from_millis(400);
/// How long everything may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long outlets may take to hear of portals that ended here while nothing carried them.
const PARTING: Duration = Duration::from_secs(1);
/// As `TABS`, when only one org ends: its provider is asked to end the session.
const GOODBYE: Duration = Duration::from_secs(11);
/// As `FAREWELL`, with the goodbye in it and time for what comes after.
const LEAVING: Duration = Duration::from_secs(15);

/// What all owners of this agent share.
#[derive(Clone)]
pub(crate) struct Kit {
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
    pub(crate) browser: Arc<dyn OpenBrowser>,
    pub(crate) front: Arc<Front>,
    pub(crate) ports: Ports,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) max_connections: usize,
    pub(crate) short_lived: bool,
}

/// The keeper of one session, and what it says.
pub(super) struct HubTask {
    pub(super) task: Task,
    pub(super) reports: mpsc::Receiver<HubReport>,
}

/// What the owner works with and never changes.
pub(super) struct Tools {
    pub(super) kit: Kit,
    /// Fresh at each start and for each org, in memory only.
    pub(super) noise: Arc<NoiseSecret>,
    pub(super) circuits: Arc<Circuits>,
    /// Where tabs of sign-ins come back to.
    pub(super) porch: Porch,
    pub(super) task_reports: mpsc::Sender<TaskReport>,
    pub(super) door_reports: mpsc::Sender<DoorReport>,
}

pub(crate) struct Owner {
    pub(super) state: State,
    pub(super) disk: Disk,
    pub(super) tools: Tools,
    pub(super) board: Board,
    pub(super) admission: watch::Sender<Admission>,
    pub(super) awaited: watch::Sender<Option<Awaited>>,
    pub(super) work: Work,
    /// Tabs in the browser that are still to hear how it ended, and links that say goodbye.
    pub(super) farewells: JoinSet<()>,
    /// Tells outlets of portals that ended here while nothing carried them.
    bidding: Option<Task>,
    pub(super) forgetting: Forgetting,
    attempts: u64,
    task_reports: mpsc::Receiver<TaskReport>,
    door_reports: mpsc::Receiver<DoorReport>,
}

impl Owner {
    pub(crate) fn new(kit: Kit, board: Board, disk: Disk, org: &OrgName) -> Self {
        let (task_reports, task_reports_out) = mpsc::channel(32);
        let (door_reports, door_reports_out) = mpsc::channel(64);
        let admission = watch::Sender::new(Admission::None(Problem::new(Code::SignInNeeded)));
        let noise = Arc::new(NoiseSecret::generate(&SystemEntropy));
        let circuits = Circuits::new(
            admission.subscribe(),
            Links::new(org.clone(), Arc::clone(&noise)),
            Arc::clone(&noise),
            kit.clock.clone(),
        );
        let circuits = Arc::new(circuits);
        let bidding = Some(Task::spawn(Arc::clone(&circuits).say_farewells()));
        Self {
            state: State::new(kit.ports.clone(), Arc::clone(&kit.sockets)),
            disk,
            tools: Tools {
                kit,
                noise,
                circuits,
                porch: Porch::default(),
                task_reports,
                door_reports,
            },
            board,
            admission,
            awaited: watch::Sender::new(None),
            work: Work::default(),
            farewells: JoinSet::new(),
            bidding,
            forgetting: Forgetting::default(),
            attempts: 0,
            task_reports: task_reports_out,
            door_reports: door_reports_out,
        }
    }

    /// The ways to the org's services; the same for as long as this owner lives.
    pub(crate) fn circuits(&self) -> Arc<Circuits> {
        Arc::clone(&self.tools.circuits)
    }

    /// Runs until `ending` says why it ends, then ends everything it started.
    pub(crate) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut ending: watch::Receiver<Option<Code>>,
    ) {
        let mut count = interval(COUNT_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keyring = interval(KEYRING_AGAIN);
        keyring.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keep = interval(KEEP_AGAIN);
        keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let why = loop {
            self.publish();
            tokio::select! {
                why = wait_for(&mut ending) => break why,
                Some(order) = orders.recv() => self.obey(order).await,
                Some(report) = self.task_reports.recv() => self.on_task(report).await,
                Some(report) = self.door_reports.recv() => self.on_door(report).await,
                report = next(&mut self.work.hub) => self.on_hub(report).await,
                Some(_) = self.farewells.join_next() => {}
                _ = keyring.tick(), if self.state.waits_for_keyring() => self.happens(Input::LookAgain).await,
                _ = keep.tick(), if self.disk.is_behind() => self.keep_again(),
                _ = count.tick(), if self.state.is_any_open() => {
                    self.recount();
                    self.settle_asks();
                }
            }
        };
        let patience = pin!(patience(why, ending));
        let end = pin!(self.end(why));
        if let Either::Right(_) = select(end, patience).await {
            tracing::warn!("org did not end in time");
        }
    }

    async fn obey(&mut self, order: Order) {
        let (result, answer) = match order {
            Order::Act(action, answer) if action.is_about_access() => {
                return self.about_access(&action, answer);
            }
            Order::Act(action, answer) => (self.act(action).await, answer),
            Order::Adopt(joined, answer) => {
                self.adopt(*joined).await;
                (Ok(()), answer)
            }
        };
        // Whoever is answered finds the snapshot up to date.
        self.publish();
        answer.give(result);
    }

    async fn act(&mut self, action: Action) -> Result<(), Problem> {
        match action {
            Action::SignIn { .. } => self.sign_in(SignInWay::Browser).await,
            Action::SignInWithCode { .. } => self.sign_in(SignInWay::Code).await,
            Action::CancelSignIn { .. } => {
                self.happens(Input::Cancel).await;
                Ok(())
            }
            Action::SignOut { .. } => {
                self.happens(Input::SignOut).await;
                Ok(())
            }
            Action::CompareDevice { request, .. } => self.compare_device(&request),
            Action::ApproveDevice { request, .. } => self.approve_device(&request),
            Action::DeclineDevice { request, .. } => self.decline_device(&request),
            Action::RevokeDevice { device, .. } => self.revoke_device(&device),
            Action::Connect { service } => self.connect(&service.service).await,
            Action::Disconnect { service } => self.disconnect(&service.service),
            Action::SetPort { service, port } => self.set_port(&service, port),
            Action::LookAgain { .. } => {
                self.look_again().await;
                Ok(())
            }
            Action::DismissProblem { about, .. } => {
                troubles::dismiss(&mut self.state.problems, &about);
                Ok(())
            }
            // The household's, and what needs nobody's state.
            Action::Join { .. }
            | Action::CancelJoin
            | Action::Leave { .. }
            | Action::WritePgService { .. }
            | Action::Quit
            // Answered when the hub has, see `about_access`.
            | Action::Ask { .. }
            | Action::Extend { .. }
            | Action::Withdraw { .. }
            | Action::Decide { .. }
            | Action::TakeBack { .. }
            | Action::SawRequests { .. } => Err(Problem::new(Code::Internal)),
        }
    }

    /// Says what is wrong: with this org, or with the computer as a whole.
    pub(super) fn trouble(&mut self, problem: Problem) {
        if troubles::is_of_this_computer(problem.code) {
            self.board.trouble(problem);
        } else {
            troubles::add(&mut self.state.problems, problem);
        }
    }

    pub(super) fn better(&mut self, codes: &[Code]) {
        self.state.better(codes);
        self.board.better(codes);
    }

    /// A number that no earlier attempt at anything had.
    pub(super) fn attempt(&mut self) -> u64 {
        self.attempts += 1;
        self.attempts
    }

    pub(super) async fn sign_in(&mut self, way: SignInWay) -> Result<(), Problem> {
        if self.state.home.is_none() {
            return Err(Problem::new(Code::NotJoined));
        }
        self.happens(Input::SignIn(way)).await;
        Ok(())
    }

    async fn on_task(&mut self, report: TaskReport) {
        let TaskReport { attempt, news } = report;
        match news {
            TaskNews::Woken(result) => self.happens(Input::Woken(attempt, result)).await,
            TaskNews::Progress(progress) => self.happens(Input::Progress(attempt, progress)).await,
            TaskNews::SignedIn(result) => self.on_signed_in(attempt, result).await,
            TaskNews::Introducing(at) => self.happens(Input::Introducing(attempt, at)).await,
            TaskNews::LetIn(result) => self.happens(Input::LetIn(attempt, result)).await,
            TaskNews::Greeted(result) => self.on_greeted(result),
            TaskNews::SaidGoodbye(result) => self.on_goodbye(result),
            TaskNews::Access(asked) => self.on_asked(*asked),
            TaskNews::Devices(result) => self.on_devices(result),
            TaskNews::Stepped { id, result } => self.on_stepped(&id, result),
        }
    }

    /// Says how things are.
    pub(super) fn publish(&mut self) {
        let awaited = self.state.awaited();
        self.awaited
            .send_if_modified(|old| std::mem::replace(old, awaited) != awaited);
        if let Some(org) = self.state.snapshot(self.tools.kit.clock.now()) {
            self.board.show(org);
        }
    }

    /// Ends all that runs, in the order in which people would notice.
    async fn end(mut self, why: Code) {
        if why == Code::SignedOut {
            self.happens(Input::SignOut).await;
        }
        if self.disk.is_behind() {
            self.keep_again();
        }
        // Nobody reads reports any more: whoever sends one must not wait for that.
        self.task_reports.close();
        self.door_reports.close();
        let doors = std::mem::take(&mut self.state.doors);
        join_all(
            doors
                .into_values()
                .filter_map(Door::into_handle)
                .map(|handle| handle.finish(Problem::new(why))),
        )
        .await;
        self.tools.circuits.farewells.said(PARTING).await;
        if let Some(bidding) = self.bidding.take() {
            bidding.end().await;
        }
        self.stop_hub().await;
        self.end_sign_in(Code::SignInInterrupted);
        self.state.account = Account::out(Problem::new(why));
        self.admit();
        self.forgetting.finish().await;
        // Nobody waits for tabs that have not come back; one that has is told.
        self.tools.porch.close();
        let patience = if why == Code::SignedOut {
            GOODBYE
        } else {
            TABS
        };
        let _ = timeout(patience, async {
            while self.farewells.join_next().await.is_some() {}
        })
        .await;
        self.farewells.shutdown().await;
        self.tools.circuits.shutdown(why).await;
    }
}

/// How long the end may take. A part that hangs must not keep the app from quitting; an org that is left has time to say
/// goodbye, unless the app is quit meanwhile.
async fn patience(why: Code, mut ending: watch::Receiver<Option<Code>>) {
    if why == Code::SignedOut {
        let quitting = ending.wait_for(|why| *why == Some(Code::AppQuitting));
        if timeout(LEAVING, quitting).await.is_err() {
            return;
        }
        return sleep(HURRIED).await;
    }
    sleep(FAREWELL).await;
}

/// Why everything is to end; an agent that is gone is quitting.
async fn wait_for(ending: &mut watch::Receiver<Option<Code>>) -> Code {
    match ending.wait_for(Option::is_some).await {
        Ok(why) => why.unwrap_or(Code::AppQuitting),
        Err(_) => Code::AppQuitting,
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
