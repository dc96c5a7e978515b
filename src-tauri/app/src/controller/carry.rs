//! What a person asked for, carried out: by the agent, or by the desktop where only that can.
//! A newcomer would wait for the agent here: it is asked, and what it answers comes back as an event.

use std::ops::ControlFlow;

use tidegate_agent::{AccountView, Action, SignIn};
use tidegate_proto::names::OrgName;

use super::{Controller, Engine};
use crate::agent::AgentHandle;
use crate::desktop::Desktop;
use crate::intent::{Doer, Errand, Intent};

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    pub(super) fn carry_out(&mut self, intent: Intent) -> ControlFlow<()> {
        match intent.doer() {
            Doer::Agent(action) => self.act(action),
            Doer::Desktop(Errand::Copy(what)) => {
                self.copy(what);
            }
            Doer::Desktop(Errand::OpenWindow) => self.desktop.open_window(),
            Doer::Desktop(Errand::OpenSignInPage(org)) => {
                if let Some(url) = self.sign_in(&org).and_then(|sign_in| sign_in.url.clone()) {
                    self.desktop.open_url(&url);
                }
            }
            Doer::Desktop(Errand::TryAgain(org)) => self.try_again(org),
            Doer::Desktop(Errand::Show(place)) => {
                self.notes.go = Some(place);
                self.desktop.open_window();
            }
            Doer::Desktop(Errand::Shown) => self.notes.go = None,
            Doer::Desktop(Errand::Set(setting)) => self.set(setting),
            Doer::Desktop(Errand::JoinArrived) => self.join_arrived(),
            Doer::Desktop(Errand::DropArrived) => self.notes.arrived = None,
            Doer::Desktop(Errand::AskFor(org, what)) => {
                self.notes.forget_refusals();
                self.notes.ask_for = Some((org, what));
                self.desktop.open_window();
            }
            Doer::Desktop(Errand::AskNoMore) => self.notes.ask_for = None,
            Doer::Desktop(Errand::Quit) => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    pub(super) fn act(&mut self, action: Action) {
        match &action {
            Action::DismissProblem { org, about } => self.notes.dismiss(org.as_ref(), about),
            Action::Connect { service } => {
                self.wanted.insert(service.clone());
                self.notes.forget_refusals();
            }
            Action::Disconnect { service } => {
                self.wanted.remove(service);
                self.released.insert(service.clone());
            }
            Action::SignOut { org } | Action::Leave { org } => self.release(Some(org)),
            Action::Quit => self.release(None),
            Action::LookAgain { .. }
            | Action::Join { .. }
            | Action::CancelJoin
            | Action::SetPort { .. }
            | Action::WritePgService { .. }
            | Action::SignIn { .. }
            | Action::SignInWithCode { .. }
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
            | Action::CancelSignIn { .. } => self.notes.forget_refusals(),
        }
        if let Engine::Running { agent, .. } = &self.engine {
            self.acts.ask(agent, action);
        }
    }

    /// An agent that could not start is started once more; one that runs asks at once what it would ask later.
    fn try_again(&mut self, org: Option<OrgName>) {
        match self.engine {
            Engine::Broken(why) => {
                self.notes.forget(why);
                self.notes.broken = false;
                self.engine = Engine::StartingAgain;
            }
            Engine::Running { .. } => self.act(Action::LookAgain { org }),
            Engine::Starting | Engine::StartingAgain => {}
        }
    }

    /// What ends now was asked for here.
    fn release(&mut self, org: Option<&OrgName>) {
        let open = self
            .snapshot
            .iter()
            .flat_map(|snapshot| snapshot.services());
        let ends = open.filter(|(of, _)| org.is_none_or(|org| *org == of.name));
        self.released
            .extend(ends.map(|(of, service)| of.service_ref(service)));
    }

    pub(super) fn sign_in(&self, org: &OrgName) -> Option<&SignIn> {
        match &self.snapshot.as_ref()?.org(org)?.account {
            AccountView::SigningIn(sign_in) => Some(sign_in),
            AccountView::SignedIn { again, .. } => again.as_ref(),
            AccountView::SignedOut { .. } => None,
        }
    }
}
