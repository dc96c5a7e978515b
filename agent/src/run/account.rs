//! Signing in and out, and what follows when access ends.
//! A retry replaces: there is never more than one sign-in or hub keeper at a time.

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tokio::sync::mpsc;

use super::orders::{TaskNews, TaskReport};
use super::owner::{HubTask, Owner};
use super::state::{Account, Door, Running, Task, Way};
use crate::circuit::Admission;
use crate::hub::keeper::HubKeeper;
use crate::keys::Entry;
use crate::signin::flow::{Failed, Flow, Progress, SignedIn, Stop, Tab};
use crate::signin::goodbye::{Goodbye, LastToken};
use crate::signin::provider::Asked;
use crate::signin::tokens::Session;
use crate::snapshot::{HubState, SignIn, SignInStep};

impl Owner {
    /// Starts signing in, in the place of a sign-in that is under way.
    pub(super) async fn sign_in(&mut self, way: Way) -> Result<(), Problem> {
        let Some(home) = &self.state.home else {
            return Err(Problem::new(Code::NotJoined));
        };
        if matches!(self.state.account, Account::SignedIn { .. }) {
            return Ok(());
        }
        let Some(identity) = home.identity.clone() else {
            // Still being read, or the keyring was locked and may be open now.
            self.wake(Some(way));
            return Ok(());
        };
        self.stop_hub().await;
        let another_account = self
            .state
            .problems
            .iter()
            .any(|problem| problem.code == Code::WrongAccount);
        self.end_sign_in(Code::SignInReplaced);
        self.state.forget_sign_in();
        if let Some(session) = self.unintroduced() {
            self.introduce(session);
            return Ok(());
        }
        let attempt = self.attempt();
        let running = self.sign_in_task(attempt, identity, (way, another_account));
        let view = SignIn {
            step: SignInStep::AskingHub,
            url: None,
            since: self.tools.kit.clock.now(),
            likely: Vec::new(),
            code: None,
        };
        self.state.account = Account::SigningIn { view, running };
        Ok(())
    }

    /// Ends the sign-in that is under way, if there is one; its tab is told why, now or when it comes back.
    pub(super) fn end_sign_in(&mut self, why: Code) {
        match std::mem::replace(&mut self.state.account, Account::SignedOut) {
            Account::SigningIn { running, .. } => {
                running.stop.send_replace(Some(Problem::new(why)));
                self.farewells.spawn(running.task.ended());
            }
            Account::Arriving { tab, .. } => {
                if let Some(tab) = tab {
                    self.tell_tab(tab, Err(Problem::new(why)));
                }
            }
            // Nobody waits for it any more; at the hub it runs out.
            Account::Introducing { .. } => {}
            other => self.state.account = other,
        }
    }

    fn sign_in_task(
        &self,
        attempt: u64,
        identity: Arc<SigningKey>,
        (way, another_account): (Way, bool),
    ) -> Running {
        let (stop, stopped) = Stop::new();
        let (progress, mut steps) = mpsc::channel(8);
        let flow = self.state.home.as_ref().map(|home| Flow {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity,
            trust: home.membership.trust.clone(),
            vault: self.tools.kit.vault.clone(),
            browser: Arc::clone(&self.tools.kit.browser),
            porch: self.tools.porch.clone(),
            asked: Asked {
                login_hint: home
                    .membership
                    .last
                    .clone()
                    .filter(|last| last.contains('@') && !another_account),
                another_account,
            },
            clock: self.tools.kit.clock.clone(),
            progress,
        });
        let reports = self.tools.task_reports.clone();
        let forgotten = self.forgetting.forgotten();
        let task = Task::spawn(async move {
            let Some(flow) = flow else { return };
            forgotten.wait().await;
            let told = async {
                while let Some(progress) = steps.recv().await {
                    let news = TaskNews::Progress(progress);
                    let _ = reports.send(TaskReport { attempt, news }).await;
                }
            };
            let running = async {
                match way {
                    Way::Browser => flow.run(stopped).await,
                    Way::Code => flow.run_with_code(stopped).await,
                }
            };
            let (result, ()) = tokio::join!(running, told);
            let (result, late) = match result {
                Ok(signed_in) => (Ok(signed_in), None),
                Err(Failed { problem, tab }) => (Err(problem.clone()), tab.zip(Some(problem))),
            };
            let news = TaskNews::SignedIn(result);
            let _ = reports.send(TaskReport { attempt, news }).await;
            if let Some((tab, problem)) = late {
                tab.tell(Err(&problem)).await;
            }
        });
        Running { stop, task }
    }

    pub(super) async fn cancel_sign_in(&mut self) {
        match &self.state.account {
            Account::SigningIn { .. } => {
                self.unwant(None);
                self.end_sign_in(Code::SignInCancelled);
                self.greet_hub();
            }
            Account::Arriving { .. } => {
                self.sign_off(&Problem::new(Code::SignInCancelled), false)
                    .await
            }
            Account::Introducing { .. } => {
                self.sign_off(&Problem::new(Code::SignInCancelled), false)
                    .await
            }
            Account::SignedOut | Account::SignedIn { .. } => {}
            Account::Waking { .. } => {
                self.unwant(None);
                self.wake(None);
            }
        }
    }

    pub(super) async fn sign_out(&mut self) -> Result<(), Problem> {
        if self.state.home.is_none() {
            return Err(Problem::new(Code::NotJoined));
        }
        self.sign_off(&Problem::new(Code::SignedOut), false).await;
        Ok(())
    }

    /// Ends access for good: whatever happens to this process now, the next one starts signed out.
    pub(super) async fn sign_off(&mut self, why: &Problem, shown: bool) {
        self.remember_signed_out(true);
        self.end_access(why, shown).await;
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
            self.trouble(why.clone());
        }
        if let Some(home) = &mut self.state.home {
            home.requests.clear();
            home.devices.clear();
            home.unintroduced = None;
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
            let token = self.forgetting.forget(
                &self.tools.kit.vault,
                org,
                &[Entry::Refresh, Entry::Session],
                |_| (),
            );
            self.say_goodbye(token, why.code);
        }
        self.greet_hub();
    }

    /// Lets the provider know that the session is over, in the background. Whoever asked for that is told when it could not be done.
    fn say_goodbye(&mut self, token: LastToken, why: Code) {
        let Some(home) = &self.state.home else { return };
        if why == Code::SignedOutByProvider {
            return;
        }
        let goodbye = Goodbye {
            idp: home.idp.clone(),
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            trust: home.membership.trust.clone(),
        };
        let reports = self.tools.task_reports.clone();
        let is_asked_for = why == Code::SignedOut;
        self.state.goodbyes += usize::from(is_asked_for);
        self.farewells.spawn(async move {
            let said = goodbye.say(token).await;
            if is_asked_for {
                let news = TaskNews::SaidGoodbye(said);
                let _ = reports.send(TaskReport { attempt: 0, news }).await;
            }
        });
    }

    pub(super) fn on_goodbye(&mut self, said: Result<(), Problem>) {
        self.state.goodbyes = self.state.goodbyes.saturating_sub(1);
        if let Err(problem) = said {
            self.trouble(problem);
        }
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
        match (progress, &mut self.state.account) {
            (Progress::Trouble(problem), _) => self.trouble(problem),
            (Progress::Step { step, url }, Account::SigningIn { view, .. }) => {
                view.step = step;
                view.url = url;
                view.likely.clear();
                view.code = None;
            }
            (Progress::Quiet(likely), Account::SigningIn { view, .. }) => view.likely = likely,
            (Progress::Code(code), Account::SigningIn { view, .. }) => {
                view.step = SignInStep::WaitingForCode;
                view.code = Some(code);
            }
            // The last words of one that was told to end.
            (Progress::Step { .. } | Progress::Quiet(_) | Progress::Code(_), _) => {}
        }
    }

    /// How the newest sign-in ended. One that was told to end meanwhile may still have come through: nobody wants it.
    pub(super) fn on_signed_in(&mut self, result: Result<SignedIn, Problem>) {
        let old = std::mem::replace(&mut self.state.account, Account::SignedOut);
        let Account::SigningIn { view, running } = old else {
            self.state.account = old;
            return self.on_late_sign_in(result);
        };
        self.farewells.spawn(running.task.ended());
        if result.is_ok() {
            self.remember_signed_out(false);
        }
        match result {
            Ok(SignedIn { session, tab }) if !self.is_enrolled() => {
                self.state.better(&[Code::BrowserDidNotOpen]);
                if let Some(tab) = tab {
                    self.tell_tab(tab, Ok(()));
                }
                self.introduce(session);
            }
            Ok(SignedIn { session, tab }) => {
                self.state.better(&[Code::BrowserDidNotOpen]);
                self.state.account = Account::Arriving {
                    session: Arc::clone(&session),
                    since: view.since,
                    tab,
                };
                self.keep_hub(session);
            }
            Err(problem) => {
                self.unwant(Some(&problem));
                self.trouble(problem);
                self.greet_hub();
            }
        }
    }

    /// A sign-in that came through after it had been replaced or cancelled.
    pub(super) fn on_late_sign_in(&mut self, result: Result<SignedIn, Problem>) {
        let Ok(SignedIn { tab, .. }) = result else {
            return;
        };
        if let Some(tab) = tab {
            self.tell_tab(tab, Err(Problem::new(Code::SignInCancelled)));
        }
        // A newer one keeps its own session over this one; without one, the next start must not find it.
        if let (Account::SignedOut, Some(home)) = (&self.state.account, &self.state.home) {
            let token = self.forgetting.forget(
                &self.tools.kit.vault,
                &home.membership.org,
                &[Entry::Refresh, Entry::Session],
                |_| (),
            );
            self.say_goodbye(token, Code::SignInCancelled);
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
            vault: self.tools.kit.vault.clone(),
            refresh_lock: self.disk.refresh_lock(),
            clock: self.tools.kit.clock.clone(),
            trust: home.membership.trust.clone(),
            chain: home.membership.chain.clone(),
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
        self.farewells
            .spawn(async move { tab.tell(outcome.as_ref().copied()).await });
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
