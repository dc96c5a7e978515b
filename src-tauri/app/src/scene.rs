//! Everything that menu, view and icon are functions of, at one moment.
//! A newcomer would add a field for something the agent knows: ask the snapshot.

use tidegate_agent::{ServiceRef, ServiceState, Snapshot};
use tidegate_proto::names::OrgName;
use tidegate_proto::problem::{About, Code, Problem};
use tidegate_proto::time::UnixTime;

use crate::access::AskFor;
use crate::activity::Activity;
use crate::arrived::Arrived;
use crate::intent::{Copyable, Place};
use crate::problem::ProblemId;
use crate::settings::Settings;
use crate::tray_host::TrayHost;

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
    pub refused: Vec<(Option<OrgName>, Problem)>,
    /// The service whose port was to be another one, where that was refused.
    pub port_refused: Option<(ServiceRef, Problem)>,
    /// Whether somebody shows our icon. Not a problem that can be dismissed.
    pub tray: TrayHost,
    /// What the desktop cannot do, until dismissed.
    pub desktop: Vec<Problem>,
    pub copied: Option<Copied>,
    pub wrote: Option<Wrote>,
    pub activity: Activity,
    /// The agent could not start: `desktop` says why.
    pub broken: bool,
    pub settings: Settings,
    /// Whether the desktop starts the app at login.
    pub at_login: bool,
    /// Where the settings are kept.
    pub settings_file: String,
    /// A join link from outside that waits for a click.
    pub arrived: Option<Arrived>,
    /// Where the window is to go.
    pub go: Option<Place>,
    /// What the form that asks for access is about, while it is open.
    pub ask_for: Option<(OrgName, AskFor)>,
}

/// What was put on the clipboard, and until when it is worth saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub what: Copyable,
    pub said_until: UnixTime,
}

/// Which section of `pg_service.conf` holds a service now, and until when it is worth saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrote {
    pub service: ServiceRef,
    pub section: String,
    pub said_until: UnixTime,
}

impl<'a> Scene<'a> {
    /// Problems to show on their own: not those a service's own card shows. With the org they are about.
    pub fn problems(&self) -> Vec<(Option<&'a OrgName>, &'a Problem)> {
        let reported = self.snapshot.map(|snapshot| snapshot.shown(self.now));
        let refused = self.notes.refused.iter();
        let refused = refused.map(|(org, problem)| (org.as_ref(), problem));
        let desktop = self.notes.desktop.iter().map(|problem| (None, problem));
        let mut shown: Vec<(Option<&OrgName>, &Problem)> = Vec::new();
        let all = reported.into_iter().flatten().chain(refused).chain(desktop);
        for (org, problem) in all {
            let id = ProblemId::of(org, problem);
            let twice = shown
                .iter()
                .any(|(org, other)| ProblemId::of(*org, other) == id);
            if !twice && !self.shown_by_a_service(org, problem) {
                shown.push((org, problem));
            }
        }
        shown
    }

    /// A problem that is there and is about this, whoever shows it.
    pub fn find(&self, about: &About) -> Option<&'a Problem> {
        let reported = self.snapshot.into_iter().flat_map(Snapshot::all_problems);
        let services = self.snapshot.into_iter().flat_map(Snapshot::services);
        let failed = services.filter_map(|(_, service)| match &service.state {
            ServiceState::Failed(problem) => Some(problem),
            ServiceState::Idle
            | ServiceState::Connecting { .. }
            | ServiceState::Connected { .. }
            | ServiceState::Disconnecting => None,
        });
        let refused = self.notes.refused.iter().map(|(_, problem)| problem);
        let mut all = reported
            .chain(failed)
            .chain(refused)
            .chain(&self.notes.desktop);
        all.find(|problem| about.is(problem))
    }

    pub fn copied(&self) -> Option<&'a Copied> {
        let copied = self.notes.copied.as_ref()?;
        (self.now < copied.said_until).then_some(copied)
    }

    /// What a service is called in `pg_service.conf`, where that was just written.
    pub fn wrote(&self, service: &ServiceRef) -> Option<&'a str> {
        let wrote = self.notes.wrote.as_ref()?;
        let is_said = self.now < wrote.said_until && wrote.service == *service;
        is_said.then_some(wrote.section.as_str())
    }

    /// Why a service did not get the port that was asked for.
    pub fn port_problem(&self, service: &ServiceRef) -> Option<&'a Problem> {
        let (about, problem) = self.notes.port_refused.as_ref()?;
        (about == service).then_some(problem)
    }

    fn shown_by_a_service(&self, org: Option<&OrgName>, problem: &Problem) -> bool {
        let Some(snapshot) = self.snapshot else {
            return false;
        };
        snapshot.services().any(|(of, service)| {
            let is_there = org.is_none_or(|org| *org == of.name);
            is_there
                && matches!(&service.state, ServiceState::Failed(failed) if failed.code == problem.code
                    && problem.facts.service.as_ref().is_none_or(|name| *name == service.name))
        })
    }
}

impl Notes {
    /// A person has read it: this one goes, and none of the same kind about something else.
    pub fn dismiss(&mut self, org: Option<&OrgName>, about: &About) {
        self.refused
            .retain(|(of, problem)| of.as_ref() != org || !about.is(problem));
        self.port_refused
            .take_if(|(service, problem)| org == Some(&service.org) && about.is(problem));
        if org.is_none() {
            self.desktop.retain(|problem| !about.is(problem));
        }
    }

    /// It is over, or there is a newer word about it.
    pub fn forget(&mut self, code: Code) {
        self.refused.retain(|(_, problem)| problem.code != code);
        self.desktop.retain(|problem| problem.code != code);
        self.port_refused
            .take_if(|(_, problem)| problem.code == code);
    }

    /// Something else is asked for: what was refused before is no longer the answer.
    pub fn forget_refusals(&mut self) {
        self.refused.clear();
        self.port_refused = None;
    }

    /// Until when something that was done is worth saying.
    pub fn said_until(&self) -> Option<UnixTime> {
        let copied = self.copied.iter().map(|copied| copied.said_until);
        let wrote = self.wrote.iter().map(|wrote| wrote.said_until);
        copied.chain(wrote).max()
    }

    pub fn forget_copied(&mut self, service: &ServiceRef) {
        let about_it = |copied: &Copied| matches!(&copied.what, Copyable::Connection { service: name, .. } if name == service);
        if self.copied.as_ref().is_some_and(about_it) {
            self.copied = None;
        }
    }
}
