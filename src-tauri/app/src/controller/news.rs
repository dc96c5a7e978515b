//! What a new snapshot means to the person at the desk: what is told, what is put on the clipboard, what is noted.
//! A newcomer would notify about everything: what she asked for here and got, or ended here herself, is no news twice.

use std::sync::Arc;

use tidegate_agent::{
    AccountView, OrgName, OrgSnapshot, RequestShown, ServiceRef, ServiceState, Snapshot,
};
use tidegate_proto::problem::{Problem, Severity};
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words as words_of;

use super::Controller;
use crate::access::words;
use crate::activity::device_label;
use crate::agent::AgentHandle;
use crate::change::{Change, Known, Told, changes};
use crate::desktop::{Desktop, Notice};
use crate::intent::{Copyable, Form, Intent};
use crate::problem::{Button, problem_view};
use crate::settings::Notifications;
use crate::time_left::time_left;

/// Early enough to finish a query, late enough to be about this one.
const WARNED_BEFORE_SECS: u64 = 5 * 60;
/// What ends a service is often reported for the service and for the account, a moment apart.
const SAME_REASON_SECS: u64 = 10;

impl<D, A> Controller<D, A>
where
    D: Desktop,
    A: AgentHandle,
{
    pub(super) fn learn(&mut self, after: Arc<Snapshot>) {
        let before = self.snapshot.replace(Arc::clone(&after));
        let Some(before) = before else { return };
        self.compare(&before, &after);
    }

    /// Time alone makes some problems worth a word.
    pub(super) fn watch_the_clock(&mut self) {
        if let Some(snapshot) = self.snapshot.clone() {
            self.compare(&snapshot, &snapshot);
        }
    }

    fn compare(&mut self, before: &Snapshot, after: &Snapshot) {
        let worth_a_word = worth_a_word(after, self.clock.now());
        let said = std::mem::replace(&mut self.said, worth_a_word);
        let was = Known {
            snapshot: before,
            problems: &said,
        };
        let is = Known {
            snapshot: after,
            problems: &self.said,
        };
        let changes = changes(was, is);
        for change in &changes {
            self.note(change, &changes);
            match change {
                Change::Connected(service) => self.connected(service, after),
                Change::Ended(service) => self.ended(service, &changes),
                Change::Failed(service, problem) => self.failed(service, problem, &changes),
                Change::DeviceAsks(_, request) => self.say(&Notice::new(
                    format!("{} asks to be let in", device_label(request)),
                    "Let it in only if you are setting it up yourself: open Tidegate and compare the words.",
                )),
                Change::AccessAsked(_, request) => self.concerns_others(request),
                Change::Alarm(_, request) => self.concerns_others(request),
                Change::AccessDecided(_, request) => self.access_decided(request, &changes),
                Change::Arose(org, problem) => self.tell(org.as_ref(), problem),
                Change::SignedOut(org) | Change::Left(org) => {
                    self.wanted.retain(|service| service.org != *org);
                }
                Change::Joined(_) | Change::SignedIn(..) | Change::HubBack(_) => {}
            }
        }
    }

    /// In the list of what happened, a problem that ended services is theirs.
    fn note(&mut self, change: &Change, all: &[Change]) {
        let already = |problem: &Problem| {
            all.iter().any(
                |other| matches!(other, Change::Failed(_, failed) if failed.code == problem.code),
            )
        };
        if !matches!(change, Change::Arose(_, problem) if already(problem)) {
            self.notes.activity.note(self.clock.now(), change);
        }
    }

    /// The last of the two clicks: what she wants to paste is already on the clipboard.
    fn connected(&mut self, name: &ServiceRef, after: &Snapshot) {
        self.released.remove(name);
        let Some(service) = after.service(name).filter(|_| self.wanted.remove(name)) else {
            return;
        };
        let what = Copyable::Connection {
            service: name.clone(),
            form: Form::Url,
        };
        let place = if self.copy(what) {
            "Its address is on the clipboard."
        } else {
            "Copy its address from the window."
        };
        self.say(&Notice::new(
            format!("{} is connected", name.service),
            format!("localhost:{}. {place}", service.port),
        ));
    }

    fn ended(&mut self, name: &ServiceRef, changes: &[Change]) {
        self.wanted.remove(name);
        self.notes.forget_copied(name);
        let explained = changes.iter().any(|change| {
            matches!(change, Change::Arose(Some(org), problem)
                if *org == name.org && problem.facts.service.as_ref() == Some(&name.service))
        });
        if !self.released.remove(name) && !explained {
            self.say(&Notice::new(
                format!("{} was disconnected", name.service),
                "Its local port is closed.",
            ));
        }
    }

    fn failed(&mut self, name: &ServiceRef, problem: &Problem, all: &[Change]) {
        self.wanted.remove(name);
        self.notes.forget_copied(name);
        let same = |change: &&Change| matches!(change, Change::Failed(_, other) if other.code == problem.code);
        if all.iter().filter(same).count() > 1 {
            let mut of_all = problem.clone();
            of_all.facts.service = None;
            return self.tell(Some(&name.org), &of_all);
        }
        self.tell(Some(&name.org), problem);
    }

    /// Where the service ends with it, that is told.
    fn access_decided(&mut self, request: &RequestShown, all: &[Change]) {
        let ends = |change: &Change| matches!(change, Change::Failed(service, _) | Change::Ended(service) if service.service == request.service);
        if all.iter().any(ends) {
            return;
        }
        if let Some((title, text)) = words::decided(request) {
            self.say(&Notice::new(title, text));
        }
    }

    fn tell(&mut self, org: Option<&OrgName>, problem: &Problem) {
        let now = self.clock.now();
        let again = self.told.as_ref().is_some_and(|(told, at)| {
            at.until(now) < SAME_REASON_SECS && is_same_reason(told, problem)
        });
        if again || problem.code.severity() == Severity::Info {
            return;
        }
        self.told = Some((problem.clone(), now));
        let words = words_of(problem);
        let mut notice = Notice::new(words.title, format!("{} {}", words.cause, words.next));
        notice.button = problem_view(&self.scene(), org, problem).button;
        self.say(&notice);
    }

    /// Where nobody wants to be told, the window still says it.
    pub(super) fn say(&mut self, notice: &Notice) {
        if self.notes.settings.notifications == Notifications::On {
            self.desktop.notify(notice);
        }
    }

    /// Says once that a door is about to close by itself.
    pub(super) fn warn_of_ends(&mut self) {
        let now = self.clock.now();
        let Some(snapshot) = self.snapshot.clone() else {
            return;
        };
        self.warn_of_grants(&snapshot);
        self.tell_held_back(&snapshot);
        for (org, service) in snapshot.services() {
            let name = org.service_ref(service);
            // The agent warns of those.
            if service.grant.is_some() {
                continue;
            }
            match service.state {
                ServiceState::Connected { until, .. } if now.until(until) <= WARNED_BEFORE_SECS => {
                    if self.warned.insert(name.clone()) {
                        let title = format!("{}: {}", service.name, time_left(now, until));
                        self.say(&about_to_close(title, org, until));
                    }
                }
                _ => {
                    self.warned.remove(&name);
                }
            }
        }
    }
}

/// What ends with the session goes on with the next one; what ends before, by a rule, does not.
fn about_to_close(title: String, org: &OrgSnapshot, ends: UnixTime) -> Notice {
    let session = match &org.account {
        AccountView::SignedIn { until, .. } => Some(*until),
        AccountView::SignedOut { .. } | AccountView::SigningIn(_) => None,
    };
    if session.is_some_and(|until| ends < until) {
        return Notice::new(title, "Then its port closes. Connect again to go on.");
    }
    let mut notice = Notice::new(title, "Then its port closes. Sign in again and it goes on.");
    let org = org.name.clone();
    notice.button = Some(Button::new("Sign in again", Intent::SignIn { org }));
    notice
}

pub(super) fn worth_a_word(snapshot: &Snapshot, now: UnixTime) -> Vec<Told> {
    let shown = snapshot.shown(now).into_iter();
    shown
        .map(|(org, problem)| (org.cloned(), problem.clone()))
        .collect()
}

fn is_same_reason(one: &Problem, other: &Problem) -> bool {
    let (of_one, of_other) = (&one.facts.service, &other.facts.service);
    one.code == other.code && (of_one.is_none() || of_other.is_none() || of_one == of_other)
}
