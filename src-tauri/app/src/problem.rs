//! A problem as the window shows it: the words come from the one file of words, the button from here.
//! A newcomer would match on the text to find the button: match on the code.

mod button;

pub use button::{Button, button, command};

use std::fmt;

use serde::Serialize;
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem, Severity};
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words;
use ts_rs::TS;

use crate::intent::Intent;
use crate::scene::Scene;

/// What a problem is about: two of one id are one thing said twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemId<'a> {
    org: Option<&'a OrgName>,
    code: Code,
    service: Option<&'a ServiceName>,
    /// The file or folder.
    path: Option<&'a str>,
}

impl<'a> ProblemId<'a> {
    pub fn of(org: Option<&'a OrgName>, problem: &'a Problem) -> Self {
        let facts = &problem.facts;
        Self {
            org,
            code: problem.code,
            service: facts.service.as_ref(),
            path: facts.path.as_ref().map(|path| path.as_str()),
        }
    }
}

impl fmt::Display for ProblemId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let org = self.org.map_or("", OrgName::as_str);
        let service = self.service.map_or("", ServiceName::as_str);
        let path = self.path.unwrap_or_default();
        write!(f, "{org}/{}/{service}/{path}", self.code)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct ProblemView {
    /// No other that is shown has it.
    pub id: String,
    /// The org it is about; `None`: this computer's.
    #[ts(type = "string | null")]
    pub org: Option<OrgName>,
    /// `TG-2001`
    pub code: String,
    pub severity: Level,
    pub title: String,
    pub cause: String,
    pub next: String,
    /// Who can mend it: `your administrator`.
    pub who: &'static str,
    /// Set for what lasts: since when.
    #[ts(type = "number | null")]
    pub since: Option<UnixTime>,
    pub button: Option<Button>,
    /// `None` for what lasts: it goes by itself when it is over.
    pub dismiss: Option<Intent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// The problem of `org`, or of this computer, as it is shown in `scene`.
pub fn problem_view(scene: &Scene<'_>, org: Option<&OrgName>, problem: &Problem) -> ProblemView {
    let known = scene.snapshot.zip(org);
    let known = known.and_then(|(snapshot, org)| snapshot.org(org));
    let button = button(known, problem)
        .ok()
        .map(|button| said(scene, button));
    ProblemView {
        button,
        ..without_button(org, problem)
    }
}

/// Where it is shown beside the way on.
pub fn without_button(org: Option<&OrgName>, problem: &Problem) -> ProblemView {
    let words = words(problem);
    ProblemView {
        id: ProblemId::of(org, problem).to_string(),
        org: org.cloned(),
        code: problem.code.to_string(),
        severity: match problem.code.severity() {
            Severity::Info => Level::Info,
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
        },
        title: words.title,
        cause: words.cause,
        next: words.next,
        who: words.who,
        since: problem.since,
        button: None,
        dismiss: problem.since.is_none().then(|| Intent::Dismiss {
            org: org.cloned(),
            about: problem.into(),
        }),
    }
}

/// What was just copied says so.
fn said(scene: &Scene<'_>, button: Button) -> Button {
    let copied = scene.copied().map(|copied| &copied.what);
    match &button.intent {
        Intent::Copy { what } if copied == Some(what) => Button::new("Copied", button.intent),
        _ => button,
    }
}
