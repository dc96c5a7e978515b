//! How a verb ends badly: the exit code for scripts, and three lines for a person (what, why, what to do).
//! What a script may rely on is the exit code and the `TG-xxxx`; the sentences may change.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Exit codes, stable for scripts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(dead_code)] // the codes are the contract, used or not
pub(crate) enum Exit {
    Usage = 2,
    NeedsSignIn = 3,
    Refused = 4,
    Network = 5,
    ThisComputer = 6,
    TimedOut = 7,
    UnknownService = 8,
    NotJoined = 9,
    Internal = 10,
}

/// One mistake in a file that a person wrote. All of a file's mistakes are reported at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mistake {
    /// Where, as the path of the key: `service[1].port`.
    pub(crate) key: String,
    pub(crate) reason: String,
    pub(crate) fix: String,
}

/// Why a verb did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: Option<String>,
    title: String,
    cause: String,
    next: String,
    mistakes: Vec<Mistake>,
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        title: impl Into<String>,
        cause: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            exit,
            code: None,
            title: title.into(),
            cause: cause.into(),
            next: next.into(),
            mistakes: Vec::new(),
        }
    }

    /// A file with mistakes in it; `file` is the path as the person gave it.
    pub(crate) fn mistakes(file: &str, mistakes: Vec<Mistake>) -> Self {
        let count = mistakes.len();
        let cause = format!(
            "it has {count} mistake{}",
            if count == 1 { "" } else { "s" }
        );
        let title = format!("{file} cannot be used");
        Self {
            mistakes,
            ..Self::new(
                Exit::Usage,
                title,
                cause,
                "correct what is listed and run this again",
            )
        }
    }

    /// We were wrong: nobody but us can repair it.
    pub(crate) fn internal(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(
            Exit::Internal,
            what,
            error.to_string(),
            "please report this to the makers of Tidegate",
        )
    }

    /// Prints and gives the exit code: the last thing a process does.
    pub(crate) fn report(&self) -> ExitCode {
        // Nobody may be listening on standard error; the exit code still speaks.
        let _ = writeln!(std::io::stderr(), "{self}");
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tidegate: {}", self.title)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        write!(f, "\n  why: {}", self.cause)?;
        for mistake in &self.mistakes {
            write!(
                f,
                "\n  - {}: {}\n    {}",
                mistake.key, mistake.reason, mistake.fix
            )?;
        }
        write!(f, "\n  do:  {}", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_why_and_what_to_do() {
        let failure = Failure::new(
            Exit::Network,
            "the hub cannot be reached",
            "nothing answers at hub:1",
            "check the address",
        );

        assert_eq!(
            failure.to_string(),
            "tidegate: the hub cannot be reached\n  why: nothing answers at hub:1\n  do:  check the address"
        );
    }

    #[test]
    fn prints_every_mistake_of_a_file() {
        let mistake = |key: &str| Mistake {
            key: key.into(),
            reason: "is missing".into(),
            fix: "add it".into(),
        };

        let failure = Failure::mistakes(
            "org.toml",
            vec![mistake("hub.address"), mistake("idp.issuer")],
        );

        let text = failure.to_string();
        assert!(text.contains("it has 2 mistakes"));
        assert!(text.contains("- hub.address: is missing\n    add it"));
        assert!(text.contains("- idp.issuer: is missing"));
    }
}
