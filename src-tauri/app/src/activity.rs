//! The last things that happened here, newest first, for the window's list.
//! A newcomer would take this for the audit: that one is signed and kept at the outlet; this one is gone when the app quits.

use std::collections::VecDeque;

use serde::Serialize;
use tidegate_agent::DeviceRequest;
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words;
use ts_rs::TS;

use crate::access::words as access_words;
use crate::change::Change;
use crate::label::label;

const LINES_KEPT: usize = 30;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity(VecDeque<ActivityLine>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct ActivityLine {
    #[ts(type = "number")]
    pub at: UnixTime,
    pub text: String,
}

impl Activity {
    pub fn note(&mut self, at: UnixTime, change: &Change) {
        self.0.push_front(ActivityLine {
            at,
            text: told(change),
        });
        self.0.truncate(LINES_KEPT);
    }

    pub fn lines(&self) -> Vec<ActivityLine> {
        self.0.iter().cloned().collect()
    }
}

/// What a device that asks calls itself; it may be called anything.
pub(crate) fn device_label(request: &DeviceRequest) -> String {
    if request.label.is_empty() {
        return "A new device".to_owned();
    }
    format!("A new device ({})", label(&request.label))
}

fn told(change: &Change) -> String {
    match change {
        Change::Joined(org) => format!("This computer joined {org}."),
        Change::Left(org) => format!("This computer left {org}."),
        Change::SignedIn(name, _) => format!("Signed in as {name}."),
        Change::SignedOut(org) => format!("Signed out of {org}."),
        Change::DeviceAsks(org, request) => {
            format!("{} asked to be let in to {org}.", device_label(request))
        }
        Change::AccessAsked(_, request) => format!("{}.", access_words::asks(request).0),
        Change::Alarm(_, request) => {
            let who = access_words::who(request);
            format!("{}: {who}.", access_words::alarm(request).0)
        }
        Change::AccessDecided(_, request) => access_words::became(request),
        Change::HubBack(org) => format!("The hub of {org} is back."),
        Change::Connected(service) => format!("{} was connected.", service.service),
        Change::Ended(service) => format!("{} was disconnected.", service.service),
        Change::Failed(service, problem) => {
            format!("{}: {}.", service.service, words(problem).title)
        }
        Change::Arose(_, problem) => format!("{}.", words(problem).title),
    }
}
