//! What a doctor found: laptop and outlet have one each, and window and CLI show both in the same way.
//! A newcomer would put the text of an error here: a finding is a sentence, and what is broken comes with what to do.

mod blame;

pub use blame::{Needs, blame};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem, Severity};
use crate::words::words;

/// How a check went. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
    Ok,
    /// Works, but somebody should look at it.
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `clock`, `hub` and so on.
    pub name: String,
    /// The org, service or host that it is about.
    pub about: Option<String>,
    pub verdict: Verdict,
    /// What was found, in one sentence.
    pub finding: String,
    /// What to do about it, where there is something to do.
    pub fix: Option<String>,
    /// The problem's code, where it has one.
    pub code: Option<Code>,
}

impl Check {
    fn new(name: &str, verdict: Verdict, finding: &str, fix: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            about: None,
            verdict,
            finding: finding.to_owned(),
            fix: fix.map(str::to_owned),
            code: None,
        }
    }

    /// It is as it should be.
    #[must_use]
    pub fn ok(name: &str, finding: &str) -> Self {
        Self::new(name, Verdict::Ok, finding, None)
    }

    /// It was not looked at.
    #[must_use]
    pub fn skipped(name: &str, finding: &str) -> Self {
        Self::new(name, Verdict::Skipped, finding, None)
    }

    /// It works, and somebody should look at it.
    #[must_use]
    pub fn warn(name: &str, finding: &str, fix: &str) -> Self {
        Self::new(name, Verdict::Warn, finding, Some(fix))
    }

    /// It does not work.
    #[must_use]
    pub fn fail(name: &str, finding: &str, fix: &str) -> Self {
        Self::new(name, Verdict::Fail, finding, Some(fix))
    }

    /// A problem that has words already.
    #[must_use]
    pub fn problem(name: &str, problem: &Problem) -> Self {
        let words = words(problem);
        let verdict = match problem.code.severity() {
            Severity::Info | Severity::Warning => Verdict::Warn,
            Severity::Error => Verdict::Fail,
        };
        Self {
            code: Some(problem.code),
            ..Self::new(name, verdict, &words.cause, Some(&words.next))
        }
    }

    /// Whether what needs it cannot be right either. Signed out is no fault, and nothing opens all the same.
    fn stops_others(&self) -> bool {
        self.verdict == Verdict::Fail || self.code == Some(Code::SignInNeeded)
    }

    /// About this org, service or file, unless it says already.
    #[must_use]
    pub fn about(self, about: &str) -> Self {
        Self {
            about: self.about.or_else(|| Some(about.to_owned())),
            ..self
        }
    }
}
