//! What the agent was asked from here and has not answered yet: a few things at once, the others in their turn.
//! A newcomer would drop what is too much: it may be the click that ends something, and that one does not even wait.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_agent::{Action, ServiceRef};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{Code, Problem};
use tokio::task::JoinSet;

use crate::agent::AgentHandle;

/// Beginnings under way.
const AT_ONCE: usize = 16;
/// Beginnings that wait; a person with 500 services may click them all. More is a page gone wild, and is dropped.
const IN_TURN: usize = 512;
/// With what ends something: one for each service, and again.
const IN_ALL: usize = 1_024;

#[derive(Default)]
pub(super) struct Acts {
    under_way: JoinSet<Answer>,
    in_turn: VecDeque<Action>,
}

/// What the agent said to something that was asked here.
pub(super) struct Answer {
    /// The service that was to be connected.
    pub(super) wanted: Option<ServiceRef>,
    /// The service whose section was to be written.
    pub(super) written: Option<ServiceRef>,
    /// The service that was to have another port.
    pub(super) moved: Option<ServiceRef>,
    /// What was asked for: the service to connect next, `None` where it is connected already.
    pub(super) asked: Option<Option<ServiceRef>>,
    /// The org that was asked.
    pub(super) org: Option<OrgName>,
    pub(super) result: Result<(), Problem>,
}

impl Acts {
    pub(super) fn ask<A: AgentHandle>(&mut self, agent: &Arc<A>, action: Action) {
        let begins = begins(&action);
        if !begins {
            self.in_turn.retain(|waits| !ends(&action, waits));
        }
        let under_way = self.under_way.len();
        if under_way < AT_ONCE || (!begins && under_way < IN_ALL) {
            self.start(agent, action);
        } else if begins && self.in_turn.contains(&action) {
            tracing::info!("an action was asked for twice");
        } else if begins && self.in_turn.len() < IN_TURN {
            self.in_turn.push_back(action);
        } else {
            tracing::warn!("an action was dropped because too many were under way");
        }
    }

    /// `None` while nothing is under way.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        let answer = self.under_way.join_next().await?;
        Some(answer.unwrap_or_else(|_| Answer::about_us(Err(Problem::new(Code::Internal)))))
    }

    /// There may be room for one that waits.
    pub(super) fn go_on<A: AgentHandle>(&mut self, agent: &Arc<A>) {
        while self.under_way.len() < AT_ONCE {
            let Some(action) = self.in_turn.pop_front() else {
                return;
            };
            self.start(agent, action);
        }
    }

    /// Nobody waits for the answers any more.
    pub(super) async fn shutdown(&mut self) {
        self.in_turn.clear();
        self.under_way.shutdown().await;
    }

    fn start<A: AgentHandle>(&mut self, agent: &Arc<A>, action: Action) {
        let agent = Arc::clone(agent);
        let mut answer = Answer::about_us(Ok(()));
        answer.org = action.org().cloned();
        match &action {
            Action::Connect { service } => answer.wanted = Some(service.clone()),
            Action::WritePgService { service } => answer.written = Some(service.clone()),
            Action::SetPort { service, .. } => answer.moved = Some(service.clone()),
            Action::Ask { service, .. } => answer.asked = Some(Some(service.clone())),
            Action::Extend { .. } => answer.asked = Some(None),
            _ => {}
        }
        self.under_way.spawn(async move {
            answer.result = agent.act(action).await;
            answer
        });
    }
}

impl Answer {
    /// About nothing that only the agent knows.
    pub(super) fn about_us(result: Result<(), Problem>) -> Self {
        Self {
            wanted: None,
            written: None,
            moved: None,
            asked: None,
            org: None,
            result,
        }
    }
}

/// Whether it begins or changes something; everything else ends something, and is never held up.
fn begins(action: &Action) -> bool {
    match action {
        Action::LookAgain { .. }
        | Action::Join { .. }
        | Action::SignIn { .. }
        | Action::SignInWithCode { .. }
        | Action::Connect { .. }
        | Action::SetPort { .. }
        | Action::WritePgService { .. }
        | Action::CompareDevice { .. }
        | Action::ApproveDevice { .. }
        | Action::Ask { .. }
        | Action::Extend { .. }
        | Action::Decide { .. }
        | Action::SawRequests { .. } => true,
        Action::CancelJoin
        | Action::CancelSignIn { .. }
        | Action::SignOut { .. }
        | Action::Leave { .. }
        | Action::Disconnect { .. }
        | Action::DeclineDevice { .. }
        | Action::RevokeDevice { .. }
        | Action::Withdraw { .. }
        | Action::TakeBack { .. }
        | Action::DismissProblem { .. }
        | Action::Quit => false,
    }
}

/// Whether what waits must not begin any more.
fn ends(action: &Action, waits: &Action) -> bool {
    match action {
        Action::Disconnect { service } => {
            matches!(waits, Action::Connect { service: wanted } if wanted == service)
        }
        Action::SignOut { org } | Action::Leave { org } => waits.org() == Some(org),
        Action::CancelSignIn { org } => matches!(
            waits,
            Action::SignIn { org: of } | Action::SignInWithCode { org: of } if of == org
        ),
        Action::CancelJoin => matches!(waits, Action::Join { .. }),
        Action::Quit => true,
        _ => false,
    }
}
