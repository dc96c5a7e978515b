//! The orgs of one user under one roof: who is there, who comes, who goes. Each org has an owner of its own.
//! A newcomer would pass every order through here: orders for an org go to its owner directly, so a busy org holds up no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoiseSecret, PeerId, SigningKey};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::JoinLink;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::forgetting::Forgetting;
use super::orders::{Answered, Order};
use super::owner::{Kit, Owner};
use super::state::Task;
use crate::Action;
use crate::action::Secret;
use crate::circuit::Circuits;
use crate::disk::{Found, Membership, Orgs};
use crate::join::{self, Joined};
use crate::keys::{Entry, StoreError};
use crate::problems;
use crate::snapshot::{AccountView, SignInStep};

/// Orders that wait to be looked at; who comes when it is full waits.
pub(crate) const ORDERS: usize = 16;
/// How long secrets of orgs that were left may still take to be deleted.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often a keyring that was locked or absent is asked again.
pub(super) const KEYRING_AGAIN: Duration = Duration::from_secs(5);

/// The ways to the owners, for whoever holds the agent.
pub(crate) type Routes = watch::Sender<BTreeMap<OrgName, Route>>;

#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) circuits: Arc<Circuits>,
}

/// An org that was joined.
struct Member {
    root: PeerId,
    orders: mpsc::Sender<Order>,
    /// Why it is to end.
    end: watch::Sender<Option<Code>>,
    task: JoinHandle<()>,
}

pub(crate) struct Household {
    kit: Kit,
    board: Board,
    orgs: Orgs,
    routes: Routes,
    members: BTreeMap<OrgName, Member>,
    joining: Option<Task>,
    /// Which join is the newest: one that was replaced has nothing more to say.
    joins: u64,
    joined: mpsc::Sender<JoinReport>,
    join_reports: mpsc::Receiver<JoinReport>,
    forgetting: Forgetting,
    /// Brings secrets from memory into the keyring.
    paying: Option<JoinHandle<bool>>,
}

struct JoinReport {
    attempt: u64,
    result: Result<Box<Joined>, Problem>,
}

impl Household {
    pub(crate) fn new(kit: Kit, board: Board, orgs: Orgs, routes: Routes) -> Self {
        let (joined, join_reports) = mpsc::channel(4);
        Self {
            kit,
            board,
            orgs,
            routes,
            members: BTreeMap::new(),
            joining: None,
            joins: 0,
            joined,
            join_reports,
            forgetting: Forgetting::default(),
            paying: None,
        }
    }

    /// Goes on where the last run stopped, before anybody can look.
    pub(crate) fn resume(&mut self, found: Found) {
        for problem in found.problems {
            self.board.trouble(problem);
        }
        for org in found.left {
            self.empty_keyring(async {}, &org, |_| ());
        }
        for membership in found.memberships {
            let disk_holds = Some(membership.clone());
            self.settle(membership, disk_holds, None);
        }
    }

    /// Runs until Quit or `stop`, then ends everything.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        let mut keyring = interval(KEYRING_AGAIN);
        keyring.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                order = orders.recv() => match order {
                    None => break,
                    Some(order) => if self.obey(order) { break },
                },
                Some(report) = self.join_reports.recv() => self.on_join(report).await,
                _ = keyring.tick(), if self.paying.is_none() && self.kit.vault.owes() => self.pay(),
                paid = ended(&mut self.paying) => self.paid(paid),
                org = first_gone(&self.members) => self.lost(&org),
            }
        }
        self.end().await;
    }

    /// Whether that was the last order.
    fn obey(&mut self, order: Order) -> bool {
        let Order::Act(action, answer) = order else {
            return false;
        };
        let is_last = matches!(action, Action::Quit);
        let result = match action {
            Action::Join { link } => self.join(&link),
            Action::CancelJoin => {
                self.joining = None;
                self.board.joining(false);
                Ok(())
            }
            Action::Leave { org } => self.leave(&org),
            Action::DismissProblem { code, .. } => {
                self.board.better(&[code]);
                Ok(())
            }
            Action::Quit => Ok(()),
            // These name an org, and this one is not there.
            Action::SignIn { .. }
            | Action::SignInWithCode { .. }
            | Action::CancelSignIn { .. }
            | Action::SignOut { .. }
            | Action::CompareDevice { .. }
            | Action::ApproveDevice { .. }
            | Action::DeclineDevice { .. }
            | Action::RevokeDevice { .. }
            | Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::SetPort { .. }
            | Action::WritePgService { .. } => Err(self.board.read().not_joined()),
        };
        answer.give(result);
        is_last
    }

    fn join(&mut self, link: &Secret) -> Result<(), Problem> {
        let link = JoinLink::parse(link.reveal()).map_err(|_| Problem::new(Code::JoinLinkBad))?;
        if !self.may_join(&link) {
            return Err(Problem::new(Code::AlreadyJoined));
        }
        // What a join before this one ran into is what this one is to repair.
        let of_joins: Vec<Code> = self
            .board
            .read()
            .problems
            .iter()
            .map(|old| old.code)
            .collect();
        self.board.better(&of_joins);
        self.joins += 1;
        let (attempt, joined) = (self.joins, self.joined.clone());
        let (vault, now) = (self.kit.vault.clone(), self.kit.clock.now());
        let must_last = self.kit.short_lived;
        let forgotten = self.forgetting.forgotten();
        self.joining = Some(Task::spawn(async move {
            forgotten.wait().await;
            let noise = NoiseSecret::generate(&SystemEntropy);
            let result = join::join(link, &vault, &noise, now, must_last).await;
            let result = result.map(Box::new);
            let _ = joined.send(JoinReport { attempt, result }).await;
        }));
        self.board.joining(true);
        Ok(())
    }

    /// A device may be enrolled again where it is already, under the same root, while nobody is signed in there.
    fn may_join(&self, link: &JoinLink) -> bool {
        let Some(member) = self.members.get(&link.org) else {
            return true;
        };
        let snapshot = self.board.read();
        let is_in = snapshot
            .org(&link.org)
            .is_some_and(|org| match &org.account {
                AccountView::SignedIn { .. } => true,
                AccountView::SigningIn(sign_in) => sign_in.step == SignInStep::GettingCredential,
                AccountView::SignedOut { .. } => false,
            });
        // A link without a ticket is for a device that is not in yet; one that is would lose its place.
        let is_enrolled = snapshot
            .org(&link.org)
            .is_some_and(|org| org.enrolling.is_none());
        member.root == link.root && !is_in && (link.ticket.is_some() || !is_enrolled)
    }

    async fn on_join(&mut self, report: JoinReport) {
        if report.attempt != self.joins || self.joining.take().is_none() {
            return;
        }
        match report.result {
            Ok(joined) => self.on_joined(*joined).await,
            Err(problem) => self.board.trouble(problem),
        }
        self.board.joining(false);
    }

    async fn on_joined(&mut self, joined: Joined) {
        if let Some(trouble) = &joined.trouble {
            self.board.trouble(trouble.clone());
        } else {
            self.board.better(Code::NO_KEYRING);
        }
        match self.members.get(&joined.membership.org) {
            Some(member) => {
                let (answer, done) = Answered::new();
                let adopt = Order::Adopt(Box::new(joined), answer);
                if member.orders.send(adopt).await.is_ok() {
                    // So that the snapshot that says "joined" says so.
                    let _ = done.await;
                }
            }
            None => self.settle(joined.membership, None, Some(joined.identity)),
        }
    }

    /// Gives an org its owner.
    fn settle(
        &mut self,
        membership: Membership,
        written: Option<Membership>,
        identity: Option<Arc<SigningKey>>,
    ) {
        let org = membership.org.clone();
        let root = membership.root;
        let disk = self.orgs.disk(&org, written);
        let mut owner = Owner::new(self.kit.clone(), self.board.clone(), disk, &org);
        owner.move_in(membership, identity);
        let (orders, orders_out) = mpsc::channel(ORDERS);
        let (end, ending) = watch::channel(None);
        let route = Route {
            orders: orders.clone(),
            circuits: owner.circuits(),
        };
        self.routes.send_modify(|routes| {
            routes.insert(org.clone(), route);
        });
        let member = Member {
            root,
            orders,
            end,
            task: tokio::spawn(owner.run(orders_out, ending)),
        };
        self.members.insert(org, member);
    }

    /// Secrets that the keyring would not take wait in memory: it may be open, or there, by now.
    fn pay(&mut self) {
        let vault = self.kit.vault.clone();
        self.paying = Some(tokio::spawn(async move { vault.pay().await }));
    }

    fn paid(&mut self, all: bool) {
        self.paying = None;
        if all {
            tracing::info!("keyring took what had waited in memory");
            self.board.better(Code::NO_KEYRING);
        }
    }

    fn leave(&mut self, org: &OrgName) -> Result<(), Problem> {
        let Some(member) = self.members.remove(org) else {
            return Err(self.board.read().not_joined());
        };
        self.routes.send_modify(|routes| {
            routes.remove(org);
        });
        self.board.remove(org);
        self.orgs.leave(org);
        self.kit.ports.forget(org);
        member.end.send_replace(Some(Code::SignedOut));
        let (board, orgs, name) = (self.board.clone(), self.orgs.clone(), org.clone());
        let gone = async move {
            let _ = member.task.await;
            // Its owner may have written once more.
            orgs.leave(&name);
        };
        self.empty_keyring(gone, org, move |error| {
            board.trouble(problems::of_store(error));
        });
        tracing::info!(%org, "org was left");
        Ok(())
    }

    /// Deletes the secrets of an org that was left, once `before` is over, and then what reminds of it. What fails is tried again at the next start.
    fn empty_keyring(
        &mut self,
        before: impl Future<Output = ()> + Send + 'static,
        org: &OrgName,
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) {
        let (orgs, name) = (self.orgs.clone(), org.clone());
        let ended = move |emptied: Result<(), StoreError>| match emptied {
            Ok(()) => orgs.forget(&name),
            Err(error) => failed(error),
        };
        // The provider was told by its owner.
        drop(
            self.forgetting
                .forget_after(before, &self.kit.vault, org, Entry::ALL, ended),
        );
    }

    /// An owner that ends by itself is a mistake of ours; its ports are closed, and nothing may go on saying "connected".
    fn lost(&mut self, org: &OrgName) {
        tracing::error!(%org, "owner of an org ended by itself");
        self.members.remove(org);
        self.routes.send_modify(|routes| {
            routes.remove(org);
        });
        self.board.remove(org);
        self.board.trouble(Problem::new(Code::Internal));
    }

    async fn end(mut self) {
        self.joining = None;
        self.routes.send_replace(BTreeMap::new());
        for member in self.members.values() {
            member.end.send_replace(Some(Code::AppQuitting));
        }
        for (_, member) in self.members {
            // A task that panicked has nothing more to say here.
            let _ = member.task.await;
        }
        if let Some(paying) = self.paying.take() {
            paying.abort();
        }
        let _ = timeout(FAREWELL, self.forgetting.finish()).await;
    }
}

/// What a task came back with; for ever nothing without a task.
async fn ended(task: &mut Option<JoinHandle<bool>>) -> bool {
    match task {
        Some(task) => task.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

/// The first org whose owner has ended; for ever nothing while all are at work.
async fn first_gone(members: &BTreeMap<OrgName, Member>) -> OrgName {
    if members.is_empty() {
        return std::future::pending().await;
    }
    let ends = members.iter().map(|(org, member)| {
        Box::pin(async move {
            member.orders.closed().await;
            org.clone()
        })
    });
    select_all(ends).await.0
}
