//! Joining an org: one join at a time, and a new one waits until the one before has ended.
//! A newcomer would abort a join that is cancelled: it may have told the hub of its new key already, so it ends itself.

use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::JoinLink;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::household::{FAREWELL, Household, KEPT};
use super::orders::{Answered, Order};
use super::state::Task;
use crate::action::Secret;
use crate::join::{self, Joined, NotJoined, Waiting};
use crate::keys::Entry;
use crate::snapshot::{AccountView, SignInStep};

/// What became of a join.
pub(super) struct JoinReport {
    attempt: u64,
    org: OrgName,
    result: Result<Box<Joined>, NotJoined>,
}

/// The join under way, and what the last ones left.
pub(super) struct Joins {
    /// Which one is the newest: only its failure is news.
    newest: u64,
    current: Option<Join>,
    /// What failed joins said: the next one is to repair it.
    said: Vec<Code>,
    reports: mpsc::Sender<JoinReport>,
}

struct Join {
    org: OrgName,
    stop: CancellationToken,
    task: Task,
    /// The org was left meanwhile: even if it comes through, nobody wants it.
    is_dropped: bool,
}

impl Joins {
    pub(super) fn new(reports: mpsc::Sender<JoinReport>) -> Self {
        Self {
            newest: 0,
            current: None,
            said: Vec::new(),
            reports,
        }
    }
}

impl Household {
    pub(super) fn join(&mut self, link: &Secret) -> Result<(), Problem> {
        let link = JoinLink::parse(link.reveal()).map_err(|_| Problem::new(Code::JoinLinkBad))?;
        if !self.may_join(&link) {
            return Err(Problem::new(Code::AlreadyJoined));
        }
        let said = std::mem::take(&mut self.joins.said);
        self.board.better(&said);
        self.joins.newest += 1;
        let before = self.joins.current.take();
        if let Some(before) = &before {
            before.stop.cancel();
        }
        let (attempt, reports) = (self.joins.newest, self.joins.reports.clone());
        let (org, stop) = (link.org.clone(), CancellationToken::new());
        let (vault, now) = (self.kit.vault.clone(), self.kit.clock.now());
        let board = self.board.clone();
        let waiting = move |problem| board.trouble(problem);
        let must_last = self.kit.short_lived;
        let forgotten = self.forgetting.forgotten();
        let (stopped, name) = (stop.clone(), org.clone());
        let task = Task::spawn(async move {
            if let Some(before) = before {
                before.task.ended().await;
            }
            forgotten.wait().await;
            let noise = NoiseSecret::generate(&SystemEntropy);
            let lasting = must_last.then_some(&waiting as &Waiting);
            let result = join::join(link, &vault, &noise, (now, lasting), stopped).await;
            let report = JoinReport {
                attempt,
                org: name,
                result: result.map(Box::new),
            };
            let _ = reports.send(report).await;
        });
        self.joins.current = Some(Join {
            org,
            stop,
            task,
            is_dropped: false,
        });
        self.board.joining(true);
        Ok(())
    }

    /// It ends itself; one that has come through by then is there all the same.
    pub(super) fn cancel_join(&mut self) {
        if let Some(join) = &self.joins.current {
            join.stop.cancel();
        }
        self.board.joining(false);
    }

    /// The org is left while it is joined anew.
    pub(super) fn drop_join(&mut self, org: &OrgName) {
        let current = self.joins.current.as_mut();
        if let Some(join) = current.filter(|join| join.org == *org) {
            join.is_dropped = true;
            self.cancel_join();
        }
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

    pub(super) async fn on_join(&mut self, report: JoinReport) {
        let JoinReport {
            attempt,
            org,
            result,
        } = report;
        let is_newest = attempt == self.joins.newest;
        let join = self.joins.current.take_if(|_| is_newest);
        let is_dropped = join.is_some_and(|join| join.is_dropped);
        if is_dropped {
            // Whatever it wrote came after everything else was forgotten.
            let (vault, keys) = (&self.kit.vault, &[Entry::Joining, Entry::Identity]);
            drop(self.forgetting.forget(vault, &org, keys, drop));
        }
        match result {
            Ok(_) if is_dropped => {}
            Ok(joined) => self.on_joined(*joined).await,
            Err(NotJoined::Failed(problem)) if is_newest => {
                self.joins.said.push(problem.code);
                self.board.trouble(problem);
            }
            Err(NotJoined::Failed(_) | NotJoined::Stopped) => {}
        }
        if is_newest {
            self.board.joining(false);
        }
    }

    async fn on_joined(&mut self, joined: Joined) {
        if let Some(trouble) = &joined.trouble {
            self.board.trouble(trouble.clone());
        } else {
            self.board.better(KEPT);
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
            None => {
                let Joined {
                    membership,
                    identity,
                    ..
                } = joined;
                self.settle(membership, None, Some(identity)).await;
            }
        }
    }

    /// The app quits: a join that the hub has answered already is kept.
    pub(super) async fn end_join(&mut self) {
        let Some(join) = self.joins.current.take() else {
            return;
        };
        join.stop.cancel();
        let _ = timeout(FAREWELL, join.task.ended()).await;
        if let Ok(report) = self.join_reports.try_recv() {
            self.on_join(report).await;
        }
    }
}
