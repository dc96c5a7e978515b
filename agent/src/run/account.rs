//! Signing in and out, and what follows when access ends.
//! A retry replaces: there is never more than one sign-in or hub keeper at a time.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::orders::{TaskNews, TaskReport};
use super::owner::{HubTask, Owner};
use super::state::{Account, Door, Task};
use crate::circuit::Admission;
use crate::hub::keeper::HubKeeper;
use crate::keys::Entry;
use crate::signin::flow::{Flow, Progress, SignedIn, Tab};
use crate::signin::provider::Asked;
use crate::signin::tokens::Session;
use crate::snapshot::{HubState, SignInStep};

/// How long the browser's tab is kept waiting for the first credential.
const TAB_LIMIT: Duration = Duration::from_secs(20);

impl Owner {
    pub(super) async fn sign_in(&mut self) -> Result<(), Problem> {
        let Some(home) = &self.state.home else {
            return Err(Problem::new(Code::NotJoined));
        };
        if matches!(self.state.account, Account::SignedIn { .. }) {
            return Ok(());
        }
        let Some(identity) = home.identity.clone() else {
            // Still being read, or the keyring was locked and may be open now.
            self.wake(true);
            return Ok(());
        };
        self.stop_hub().await;
        let another_account = self
            .state
            .problems
            .iter()
            .any(|problem| problem.code == Code::WrongAccount);
        self.state.forget_sign_in();
        let attempt = self.attempt();
        let task = self.sign_in_task(attempt, identity, another_account);
        let since = self.tools.clock.now();
        self.state.account = Account::SigningIn {
            step: SignInStep::OpeningBrowser,
            url: None,
            since,
            _task: task,
        };
        Ok(())
    }

    fn sign_in_task(&self, attempt: u64, identity: Arc<SigningKey>, another_account: bool) -> Task {
        let (progress, mut steps) = mpsc::channel(8);
        let flow = self.state.home.as_ref().map(|home| Flow {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity,
            trust: home.membership.trust.clone(),
            vault: self.tools.vault.clone(),
            browser: Arc::clone(&self.tools.browser),
            asked: Asked {
                login_hint: home
                    .membership
                    .last
                    .clone()
                    .filter(|last| last.contains('@') && !another_account),
                another_account,
            },
            clock: self.tools.clock.clone(),
            progress,
        });
        let reports = self.tools.task_reports.clone();
        let forgotten = self.forgetting.forgotten();
        Task::spawn(async move {
            let Some(flow) = flow else { return };
            forgotten.wait().await;
            let told = async {
                while let Some(progress) = steps.recv().await {
                    let news = TaskNews::Progress(progress);
                    let _ = reports.send(TaskReport { attempt, news }).await;
                }
            };
            let (result, ()) = tokio::join!(flow.run(), told);
            let _ = reports
                .send(TaskReport {
                    attempt,
                    news: TaskNews::SignedIn(result),
                })
                .await;
        })
    }

    pub(super) async fn cancel_sign_in(&mut self) {
        match &self.state.account {
            Account::SigningIn { .. } => {
                self.unwant(None);
                self.state.account = Account::SignedOut;
                self.greet_hub();
            }
            Account::Arriving { .. } => {
                self.end_access(&Problem::new(Code::SignInCancelled), false)
                    .await
            }
            Account::Joining { .. } => self.not_joining(),
            Account::NotJoined | Account::SignedOut | Account::SignedIn { .. } => {}
            Account::Waking { .. } => {
                self.unwant(None);
                self.wake(false);
            }
        }
    }

    pub(super) async fn sign_out(&mut self) -> Result<(), Problem> {
        if self.state.home.is_none() {
            return Err(Problem::new(Code::NotJoined));
        }
        self.end_access(&Problem::new(Code::SignedOut), false).await;
        Ok(())
    }

    /// Ends everything that needs a signed-in person. `shown`: the person did not ask for it and must see why.
    pub(super) async fn end_access(&mut self, why: &Problem, shown: bool) {
        let old = std::mem::replace(&mut self.state.account, Account::SignedOut);
        if let Account::Arriving { tab: Some(tab), .. } = old {
            self.tell_tab(tab, Err(why.clone()));
        }
        self.stop_hub().await;
        let refusal = if shown {
            why.clone()
        } else {
            Problem::new(Code::SignInNeeded)
        };
        self.admission.send_replace(Admission::None(refusal));
        self.unwant(shown.then_some(why));
        self.close_all_doors(why, shown);
        if shown {
            self.state.trouble(why.clone());
        }
        if let Some(home) = &self.state.home {
            home.circuits.warm.drop_spares();
            // Doors end their own portals, after a last word to the programs.
            let has_door = |service: &ServiceName| {
                self.state
                    .doors
                    .get(service)
                    .is_some_and(|door| door.handle().is_some())
            };
            home.circuits
                .live
                .end(|service| !has_door(service), why.code);
            self.farewells.spawn(home.circuits.links.end());
            let org = &home.membership.org;
            // What a locked keyring keeps is a token that nobody will use: nothing to tell.
            self.forgetting.forget(
                &self.tools.vault,
                org,
                &[Entry::Refresh, Entry::Session],
                |_| (),
            );
        }
        self.greet_hub();
    }

    /// Waits until it is gone: a keeper that was only told to end could still publish rights.
    pub(super) async fn stop_hub(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.task.end().await;
        }
        if let Some(greeting) = self.greeting.take() {
            greeting.end().await;
        }
    }

    pub(super) fn on_progress(&mut self, progress: Progress) {
        match progress {
            Progress::Trouble(problem) => self.state.trouble(problem),
            Progress::Step {
                step: new,
                url: shown,
            } => {
                if let Account::SigningIn { step, url, .. } = &mut self.state.account {
                    *step = new;
                    *url = shown;
                }
            }
        }
    }

    pub(super) fn on_signed_in(&mut self, result: Result<SignedIn, Problem>) {
        let Account::SigningIn { since, .. } = self.state.account else {
            return;
        };
        match result {
            Ok(SignedIn { session, tab }) => {
                self.state.better(&[Code::BrowserDidNotOpen]);
                let arriving = Account::Arriving {
                    session: Arc::clone(&session),
                    since,
                    tab: Some(tab),
                };
                self.state.account = arriving;
                self.keep_hub(session);
            }
            Err(problem) => {
                self.state.account = Account::SignedOut;
                self.unwant(Some(&problem));
                self.state.trouble(problem);
                self.greet_hub();
            }
        }
    }

    /// Starts the task that keeps this session let in.
    pub(super) fn keep_hub(&mut self, session: Arc<Session>) {
        let Some(home) = &self.state.home else { return };
        let Some(identity) = home.identity.clone() else {
            return;
        };
        let (reports, receiver) = mpsc::channel(32);
        let keeper = HubKeeper {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity,
            vault: self.tools.vault.clone(),
            refresh_lock: self.tools.refresh_lock.clone(),
            clock: self.tools.clock.clone(),
            trust: home.membership.trust.clone(),
            circuits: Arc::clone(&home.circuits),
            admission: self.admission.clone(),
            reports,
        };
        self.greeting = None;
        self.admission.send_replace(Admission::Pending);
        self.state.hub = HubState::Connecting;
        self.hub = Some(HubTask {
            task: Task::spawn(keeper.run(session)),
            reports: receiver,
        });
    }

    /// Lets the tab in the browser know, in the background and not for long.
    pub(super) fn tell_tab(&mut self, tab: Tab, outcome: Result<(), Problem>) {
        self.farewells.spawn(async move {
            let _ = timeout(TAB_LIMIT, tab.tell(outcome.as_ref().copied())).await;
        });
    }

    /// Connects that waited for sign-in do not wait any more.
    pub(super) fn unwant(&mut self, why: Option<&Problem>) {
        for service in self.state.wanted() {
            match why {
                Some(problem) => {
                    let failed = Door::Failed(problem.clone().service(&service));
                    self.state.doors.insert(service, failed);
                }
                None => drop(self.state.doors.remove(&service)),
            }
        }
    }
}
