//! Everything that menu, view and icon are functions of, at one moment.
//! A newcomer would add a field for something the agent knows: ask the snapshot.

use tidegate_agent::{ServiceState, Snapshot};
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem, shown};
use tidegate_proto::time::UnixTime;

use crate::activity::Activity;
use crate::arrived::Arrived;
use crate::intent::Copyable;
use crate::settings::Settings;

#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub now: UnixTime,
    /// `None` while the agent starts, and when it could not.
    pub snapshot: Option<&'a Snapshot>,
    pub notes: &'a Notes,
}

/// The little that only the desktop knows.
#[derive(Debug, Default)]
pub struct Notes {
    /// Answers of the agent to what was asked here, until something else is asked.
    pub refused: Vec<Problem>,
    /// What the desktop cannot do, until dismissed.
    pub desktop: Vec<Problem>,
    pub copied: Option<Copied>,
    pub activity: Activity,
    /// The agent could not start: `refused` says why.
    pub broken: bool,
    pub settings: Settings,
    /// Whether the desktop starts the app at login.
    pub at_login: bool,
    /// Where the settings are kept.
    pub settings_file: String,
    /// A join link from outside that waits for a click.
    pub arrived: Option<Arrived>,
}

/// What was put on the clipboard, and until when it is worth saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub what: Copyable,
    pub said_until: UnixTime,
}

impl<'a> Scene<'a> {
    /// Problems to show on their own: not those a service's own card shows.
    pub fn problems(&self) -> Vec<&'a Problem> {
        let mut known: Vec<&Problem> = Vec::new();
        let reported = self.snapshot.map_or(&[][..], |snapshot| &snapshot.problems);
        for problem in reported
            .iter()
            .chain(&self.notes.refused)
            .chain(&self.notes.desktop)
        {
            if !known.iter().any(|other| other.code == problem.code) {
                known.push(problem);
            }
        }
        let mut shown = shown(known, self.now);
        shown.retain(|problem| !self.shown_by_a_service(problem));
        shown
    }

    pub fn copied(&self) -> Option<&'a Copied> {
        let copied = self.notes.copied.as_ref()?;
        (self.now < copied.said_until).then_some(copied)
    }

    fn shown_by_a_service(&self, problem: &Problem) -> bool {
        self.snapshot.is_some_and(|snapshot| {
            snapshot.services.iter().any(|service| {
                matches!(&service.state, ServiceState::Failed(failed) if failed.code == problem.code
                    && problem.facts.service.as_ref().is_none_or(|name| *name == service.name))
            })
        })
    }
}

impl Notes {
    pub fn forget(&mut self, code: Code) {
        self.refused.retain(|problem| problem.code != code);
        self.desktop.retain(|problem| problem.code != code);
    }

    pub fn forget_copied(&mut self, service: &ServiceName) {
        let about_it = |copied: &Copied| matches!(&copied.what, Copyable::Connection { service: name, .. } if name == service);
        if self.copied.as_ref().is_some_and(about_it) {
            self.copied = None;
        }
    }
}
