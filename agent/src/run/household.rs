//! The orgs of one user under one roof: who is there, who comes, who goes. Each org has an owner of its own.
//! A newcomer would pass every order through here: orders for an org go to its owner directly, so a busy org holds up no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use tidegate_proto::identity::{PeerId, SigningKey};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::forgetting::Forgetting;
use super::joining::{JoinReport, Joins};
use super::leaving::Leaving;
use super::orders::{Answered, Order};
use super::owner::{Kit, Owner};
use crate::Action;
use crate::circuit::Circuits;
use crate::disk::{Found, Membership, Orgs};

/// Orders that wait to be looked at; who comes when it is full waits.
pub(crate) const ORDERS: usize = 16;
/// How long the end of joins and of orgs that were left may still take.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
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
pub(super) struct Member {
    pub(super) root: PeerId,
    pub(super) orders: mpsc::Sender<Order>,
    /// Why it is to end.
    pub(super) end: watch::Sender<Option<Code>>,
    pub(super) task: JoinHandle<()>,
}

pub(crate) struct Household {
    pub(super) kit: Kit,
    pub(super) board: Board,
    pub(super) orgs: Orgs,
    pub(super) routes: Routes,
    pub(super) members: BTreeMap<OrgName, Member>,
    pub(super) joins: Joins,
    pub(super) join_reports: mpsc::Receiver<JoinReport>,
    pub(super) leaving: Leaving,
    pub(super) forgetting: Forgetting,
    /// Brings secrets from memory into the keyring.
    paying: Option<JoinHandle<bool>>,
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
            joins: Joins::new(joined),
            join_reports,
            leaving: Leaving::default(),
            forgetting: Forgetting::default(),
            paying: None,
        }
    }

    /// Goes on where the last run stopped, before anybody can look.
    pub(crate) async fn resume(&mut self, found: Found) {
        for problem in found.problems {
            self.board.trouble(problem);
        }
        for membership in found.left {
            self.go_on_leaving(membership);
        }
        for membership in found.memberships {
            let disk_holds = Some(membership.clone());
            self.settle(membership, disk_holds, None).await;
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
                self.cancel_join();
                Ok(())
            }
            Action::Leave { org } => self.leave(&org),
            Action::LookAgain { .. } => {
                self.look_again();
                Ok(())
            }
            Action::DismissProblem { about, .. } => {
                self.board.dismiss(&about);
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
            | Action::Ask { .. }
            | Action::Extend { .. }
            | Action::Withdraw { .. }
            | Action::Decide { .. }
            | Action::TakeBack { .. }
            | Action::SawRequests { .. }
            | Action::Connect { .. }
            | Action::Disconnect { .. }
            | Action::SetPort { .. }
            | Action::WritePgService { .. } => Err(self.board.read().not_joined()),
        };
        answer.give(result);
        is_last
    }

    /// Gives an org its owner.
    pub(super) async fn settle(
        &mut self,
        membership: Membership,
        written: Option<Membership>,
        identity: Option<Arc<SigningKey>>,
    ) {
        let org = membership.org.clone();
        let root = membership.root;
        if written.is_none() {
            self.orgs.enter(&org);
        }
        let disk = self.orgs.disk(&org, written);
        let mut owner = Owner::new(self.kit.clone(), self.board.clone(), disk, &org);
        owner.move_in(membership, identity).await;
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

    /// Somebody does not want to wait: neither for the keyring nor for any hub.
    fn look_again(&mut self) {
        if self.paying.is_none() && self.kit.vault.owes() {
            self.pay();
        }
        for (org, member) in &self.members {
            let org = Some(org.clone());
            let (answer, _) = Answered::new();
            // One that is too busy to hear it looks by itself soon enough.
            let _ = member
                .orders
                .try_send(Order::Act(Action::LookAgain { org }, answer));
        }
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
            self.board.better(KEPT);
        }
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
        self.end_join().await;
        self.leaving.hurry();
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
        // What is not done by then is gone on with at the next start.
        let _ = timeout(FAREWELL, async {
            self.leaving.finish().await;
            self.forgetting.finish().await;
        })
        .await;
    }
}

/// What is over once the keyring has taken everything.
pub(super) const KEPT: &[Code] = &[
    Code::KeyringLocked,
    Code::KeyringAbsent,
    Code::KeyringSilent,
    Code::KeyOnlyInMemory,
];

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
