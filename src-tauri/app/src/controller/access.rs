//! What is done about requests here besides handing them to the agent: the form, and the word before an end.
//! A newcomer would count minutes here: the agent says which warning is due, and only a change of it is told.

use std::collections::BTreeMap;

use tidegate_agent::{Action, ServiceRef, ServiceState, Snapshot};

use super::Controller;
use crate::access::{AskFor, words};
use crate::agent::AgentHandle;
use crate::desktop::{Desktop, Notice};
use crate::intent::Intent;
use crate::problem::Button;

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    /// The hub has it: the form is done, and the service is connected, so that it goes on by itself once it is approved.
    pub(super) fn asked(&mut self, connect: Option<ServiceRef>) {
        self.notes.ask_for = None;
        let Some(service) = connect else { return };
        let snapshot = self.snapshot.as_ref();
        let view = snapshot.and_then(|snapshot| snapshot.service(&service));
        let is_at_rest =
            |state: &ServiceState| matches!(state, ServiceState::Idle | ServiceState::Failed(_));
        if view.is_some_and(|view| is_at_rest(&view.state)) {
            self.act(Action::Connect { service });
        }
    }

    /// Says each warning once, by the grant that it is about.
    pub(super) fn warn_of_grants(&mut self, snapshot: &Snapshot) {
        let mut due = BTreeMap::new();
        for (org, service) in snapshot.services() {
            let Some(grant) = &service.grant else {
                continue;
            };
            let Some(minutes) = grant.warning else {
                continue;
            };
            let said = self.warned_grants.get(&grant.request) == Some(&minutes);
            due.insert(grant.request.clone(), minutes);
            if said {
                continue;
            }
            let (title, text) = words::ends_soon(&service.name, minutes, grant.follower);
            let mut notice = Notice::new(title, text);
            notice.button = words::more(grant.follower).map(|label| {
                let what = AskFor::More {
                    request: grant.request.clone(),
                };
                let org = org.name.clone();
                Button::new(label, Intent::AskFor { org, what })
            });
            self.say(&notice);
        }
        self.warned_grants = due;
    }
}
