//! The task of a sign-in, and what is forgotten when nobody is signed in any more.
//! A newcomer would trust that the keyring forgets: one that is locked does not, so the org's own file says that nobody is signed in.

use std::sync::Arc;

use tidegate_proto::problem::{Code, Problem};
use tokio::sync::mpsc;

use super::account::{Input, SignInWay};
use super::effects::Errand;
use super::orders::{TaskNews, TaskReport};
use super::owner::Owner;
use super::state::{Running, Task};
use crate::keys::Entry;
use crate::signin::flow::{Failed, Flow, Progress, Replaced, SignedIn, Stop};
use crate::signin::goodbye::{Goodbye, LastToken};
use crate::signin::provider::Wishes;

impl Owner {
    pub(super) fn start_sign_in(&mut self, attempt: u64, way: SignInWay) {
        let problems = &self.state.problems;
        let another_account = problems.iter().any(|old| old.code == Code::WrongAccount);
        self.state.forget_sign_in();
        let (progress, mut steps) = mpsc::channel(8);
        let Some(flow) = self.flow(another_account, progress) else {
            return;
        };
        let (stop, stopped) = Stop::new();
        let reports = self.tools.task_reports.clone();
        let forgotten = self.forgetting.forgotten();
        let task = Task::spawn(async move {
            forgotten.wait().await;
            let told = async {
                while let Some(progress) = steps.recv().await {
                    let news = TaskNews::Progress(progress);
                    let _ = reports.send(TaskReport { attempt, news }).await;
                }
            };
            let running = async {
                match way {
                    SignInWay::Browser => flow.run(stopped).await,
                    SignInWay::Code => flow.run_with_code(stopped).await,
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
        let running = Running { stop, task };
        self.work.errand = Some((attempt, Errand::SigningIn(running)));
    }

    fn flow(&self, another_account: bool, progress: mpsc::Sender<Progress>) -> Option<Flow> {
        let home = self.state.home.as_ref()?;
        let last = home.membership.last.clone();
        Some(Flow {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity: home.identity.clone()?,
            trust: home.membership.trust.clone(),
            vault: self.tools.kit.vault.clone(),
            browser: Arc::clone(&self.tools.kit.browser),
            porch: self.tools.porch.clone(),
            asked: Wishes {
                login_hint: last.filter(|last| last.contains('@') && !another_account),
                another_account,
                anew: self.state.session().is_some(),
            },
            forgotten: self.forgetting.forgotten(),
            replaces: self.state.session().map(|session| Replaced {
                subject: session.claims.subject.clone(),
                refresh_lock: self.disk.refresh_lock(),
            }),
            clock: self.tools.kit.clock.clone(),
            progress,
        })
    }

    /// How a sign-in ended. One that was told to end meanwhile may still have come through: nobody wants it.
    pub(super) async fn on_signed_in(&mut self, attempt: u64, result: Result<SignedIn, Problem>) {
        let is_current = self.state.account.attempt() == Some(attempt);
        let mut held = None;
        let result = result.map(|SignedIn { session, tab, turn }| {
            held = turn;
            match tab {
                Some(tab) if !is_current => {
                    let why = Problem::new(Code::SignInCancelled);
                    self.farewells
                        .spawn(async move { tab.tell(Err(&why)).await });
                }
                tab => self.work.tab = tab.or(self.work.tab.take()),
            }
            session
        });
        self.happens(Input::SignedIn(attempt, result)).await;
        // The session that it replaces is not refreshed any more.
        drop(held);
    }

    /// Deletes what a session left here, and tells the provider that it is over.
    pub(super) fn forget_session(&mut self, why: Code) {
        self.mark_signed_out(true);
        let Some(home) = &self.state.home else { return };
        // What a locked keyring keeps is not used again, and forgotten when it opens: nothing to tell.
        let token = self.forgetting.forget(
            &self.tools.kit.vault,
            &home.membership.org,
            &[Entry::Refresh, Entry::Session],
            |_| (),
        );
        self.say_goodbye(token, why);
    }

    /// What the org's own file says about it: the keyring may be locked just when something is to be deleted there.
    pub(super) fn mark_signed_out(&mut self, signed_out: bool) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        home.membership.signed_out = signed_out;
        self.keep();
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
}
