//! Carries out what the account's machine decides: the one place where the account changes, and with it the admission.
//! Order matters: whoever opens a portal is told the new truth before anything is ended or begun for it.

use std::sync::Arc;

use tidegate_proto::problem::{Code, Problem};

use super::account::{Account, Effect, Facts, Input};
use super::owner::{HubTask, Owner};
use super::state::{Running, Task};
use crate::circuit::Admission;
use crate::signin::flow::Tab;

/// What runs for the account. Everything in here ends when it is dropped.
#[derive(Default)]
pub(super) struct Work {
    /// Of one attempt, named by its number.
    pub(super) errand: Option<(u64, Errand)>,
    /// In the browser, to be told how the sign-in went on.
    pub(super) tab: Option<Tab>,
    pub(super) hub: Option<HubTask>,
    pub(super) greeting: Option<Task>,
}

/// What an attempt consists of.
pub(super) enum Errand {
    SigningIn(Running),
    /// The keyring is read, or another device is asked: nobody waits for it once it is not wanted any more.
    Quiet {
        _task: Task,
    },
}

impl Owner {
    /// Tells the account what happened, and does what follows.
    pub(super) async fn happens(&mut self, input: Input) {
        let facts = self.facts();
        let before = std::mem::replace(&mut self.state.account, Account::nobody());
        let (account, effects) = before.step(input, &facts);
        self.state.account = account;
        self.admit();
        for effect in effects {
            self.carry_out(effect).await;
        }
        self.drop_old_errand();
    }

    fn facts(&mut self) -> Facts {
        let home = self.state.home.as_ref();
        Facts {
            now: self.tools.kit.clock.now(),
            has_key: home.is_some_and(|home| home.identity.is_some()),
            is_enrolled: self.is_enrolled(),
            signed_out: home.is_some_and(|home| home.membership.signed_out),
            attempt: self.attempt(),
        }
    }

    pub(super) fn admit(&self) {
        let admission = self.state.account.admission();
        if let (Admission::Ready(access), Admission::None(_)) =
            (&*self.admission.borrow(), &admission)
        {
            self.tools.circuits.part(Arc::clone(access));
        }
        self.admission.send_if_modified(|old| {
            let changes = !old.is(&admission);
            *old = admission;
            changes
        });
    }

    async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::ReadKeys(attempt) => self.read_keys(attempt),
            Effect::TakeKey(key) => {
                if let Some(home) = &mut self.state.home {
                    home.identity = Some(key);
                }
            }
            Effect::StartSignIn(attempt, way) => self.start_sign_in(attempt, way),
            Effect::EndSignIn(why) => self.end_sign_in(why),
            Effect::WelcomeTab => self.tell_tab(Ok(())),
            Effect::Introduce(attempt, session) => self.introduce(attempt, session),
            Effect::Enrol(let_in, session) => self.enrol(let_in, &session),
            Effect::KeepHub(session) => self.keep_hub(session),
            Effect::StopHub => self.stop_hub().await,
            Effect::GreetHub => self.greet_hub(),
            Effect::UseRights(access) => self.use_rights(&access),
            Effect::Unwant(why) => self.unwant(why.as_ref()),
            Effect::End { why, shown } => self.end_rights(&why, shown),
            Effect::Forget(why) => self.forget_session(why),
            Effect::Trouble(problem) => self.trouble(problem),
            Effect::Better(codes) => self.better(codes),
        }
    }

    /// An errand whose attempt is not the account's any more has ended, or is given up.
    fn drop_old_errand(&mut self) {
        let current = self.state.account.attempt();
        let old = self
            .work
            .errand
            .take_if(|(attempt, _)| current != Some(*attempt));
        if let Some((_, Errand::SigningIn(running))) = old {
            // It came to its end by itself and may still have a word for its tab.
            self.farewells.spawn(running.task.ended());
        }
    }

    /// Ends the sign-in that is under way, if there is one; its tab is told why, now or when it comes back.
    pub(super) fn end_sign_in(&mut self, why: Code) {
        let running = self
            .work
            .errand
            .take_if(|(_, errand)| matches!(errand, Errand::SigningIn(_)));
        if let Some((_, Errand::SigningIn(running))) = running {
            running.stop.send_replace(Some(Problem::new(why)));
            self.farewells.spawn(running.task.ended());
        }
        self.tell_tab(Err(Problem::new(why)));
    }

    /// Lets the tab in the browser know, if one waits, in the background and not for long.
    fn tell_tab(&mut self, outcome: Result<(), Problem>) {
        if let Some(tab) = self.work.tab.take() {
            self.farewells
                .spawn(async move { tab.tell(outcome.as_ref().copied()).await });
        }
    }
}
