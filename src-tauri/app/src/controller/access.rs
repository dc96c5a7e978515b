//! What is done about requests here besides handing them to the agent: the form, and the word before an end.
//! A newcomer would count minutes here: the agent says which warning is due, and only a change of it is told.

use std::collections::BTreeMap;

use tidegate_agent::{Action, RequestShown, ServiceRef, ServiceState, Snapshot};
use tidegate_proto::time::UnixTime;

use super::Controller;
use crate::access::{self, AskFor, words};
use crate::agent::AgentHandle;
use crate::desktop::{Desktop, Notice};
use crate::intent::Intent;
use crate::problem::Button;

/// So long one person's requests are told of once.
const APART_SECS: u64 = 60;

/// Who asks, and whether they took it already.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Beggar {
    by: String,
    is_alarm: bool,
}

/// When somebody's request was told of, and whether more have come since.
pub(super) struct Told {
    at: UnixTime,
    more: bool,
}

impl Beggar {
    fn of(request: &RequestShown) -> Self {
        Self {
            by: request.by.clone(),
            is_alarm: access::is_alarm(request),
        }
    }
}

fn notice(request: &RequestShown) -> Notice {
    let ((title, text), label) = match access::is_alarm(request) {
        true => (words::alarm(request), "Look"),
        false => (words::asks(request), "Decide"),
    };
    let mut notice = Notice::new(title, text);
    notice.button = Some(Button::new(label, Intent::OpenWindow));
    notice
}

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

    /// What somebody else asks for, or took. Who begs again and again is told of once a minute: the window has every one of them.
    pub(super) fn concerns_others(&mut self, request: &RequestShown) {
        let now = self.clock.now();
        let about = Beggar::of(request);
        match self.begged.get_mut(&about) {
            Some(told) if told.at.until(now) < APART_SECS => told.more = true,
            _ => {
                let at = now;
                self.begged.insert(about, Told { at, more: false });
                self.say(&notice(request));
            }
        }
    }

    /// What came too soon after another and still waits.
    pub(super) fn tell_held_back(&mut self, snapshot: &Snapshot) {
        let now = self.clock.now();
        let begged = std::mem::take(&mut self.begged);
        let (over, running): (Vec<_>, Vec<_>) = begged
            .into_iter()
            .partition(|(_, told)| told.at.until(now) >= APART_SECS);
        self.begged = running.into_iter().collect();
        for (about, _) in over.into_iter().filter(|(_, told)| told.more) {
            let requests = snapshot.orgs.iter().flat_map(|org| {
                let alarms = access::alarms(org);
                access::waits_for_me(org).chain(alarms)
            });
            let mut still = requests.filter(|request| Beggar::of(request) == about);
            if let Some(request) = still.next() {
                let at = now;
                self.begged.insert(about, Told { at, more: false });
                self.say(&notice(request));
            }
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
