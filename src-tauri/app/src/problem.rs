//! A problem as the window shows it: the words come from the one file of words, the button from here.
//! A newcomer would match on the text to find the button: match on the code.

use std::fmt;

use serde::Serialize;
use tidegate_agent::ServiceRef;
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem, Severity};
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words;
use ts_rs::TS;

use crate::intent::{Copyable, Intent};

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

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Button {
    pub label: &'static str,
    pub intent: Intent,
}

/// The problem of `org`, or of this computer.
pub fn problem_view(org: Option<&OrgName>, problem: &Problem) -> ProblemView {
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
        button: button(org, problem),
        dismiss: problem.since.is_none().then(|| Intent::Dismiss {
            org: org.cloned(),
            about: problem.into(),
        }),
    }
}

/// The one thing a person can do about it here. No button where the next step is somebody else's.
fn button(org: Option<&OrgName>, problem: &Problem) -> Option<Button> {
    // Whatever is nobody's has no button here.
    let org = org?;
    let sign_in = |label| {
        Some(Button {
            label,
            intent: Intent::SignIn { org: org.clone() },
        })
    };
    let again = |label| {
        let service = ServiceRef::new(org, problem.facts.service.as_ref()?);
        Some(Button {
            label,
            intent: Intent::Connect { service },
        })
    };
    match problem.code {
        Code::SignInNeeded => sign_in("Sign in"),
        Code::SessionExpired
        | Code::NotAdmitted
        | Code::SignInCancelled
        | Code::SignInTimedOut
        | Code::ProviderRefused
        | Code::SignInPortsTaken
        | Code::WrongAccount
        | Code::ProviderUnreachable
        | Code::ProviderAnswerWrong
        | Code::ProviderNotTrusted
        | Code::SignInDeclined
        | Code::SignInInterrupted
        | Code::SignedOutByProvider
        | Code::SignInCodeExpired
        | Code::SignInCodeNotOffered
        | Code::SignedOut => sign_in("Sign in again"),
        Code::BrowserDidNotOpen => Some(Button {
            label: "Copy the address",
            intent: Intent::Copy {
                what: Copyable::SignInUrl { org: org.clone() },
            },
        }),
        // What to change is in the program that knocked, not here.
        Code::ForeignProgram
        | Code::BrowserAtInlet
        | Code::ClientTls
        | Code::ClientAsksTooMuch
        | Code::DatabaseNotOffered
        | Code::TooManyConnections
        | Code::RevokedByAdmin
        | Code::Revoked
        | Code::KillSwitch
        | Code::PolicyChanged
        | Code::DisconnectedByYou
        | Code::AppQuitting
        | Code::SignInReplaced
        | Code::SignOutNotConfirmed
        | Code::NoTray
        | Code::ClipboardFailed => None,
        Code::Expired => again("Connect again"),
        // Everything else can be tried again where it is about one service.
        _ => again("Try again"),
    }
}
