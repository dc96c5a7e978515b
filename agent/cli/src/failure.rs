//! How a verb ends badly: the exit code for scripts, and three lines for a person (what, why, what to do).
//! What a script may rely on is the exit code and the `TG-xxxx`; the sentences may change.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::ConfigError;
use tidegate_link::settings_file::{ConfigMistake, Fix, Mistakes};
use tidegate_proto::{
    problem::{Code, Problem},
    text::{Shown, readable},
    words::words,
};

/// Exit codes, stable for scripts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    Usage = 2,
    NeedsSignIn = 3,
    Refused = 4,
    Network = 5,
    ThisComputer = 6,
    TimedOut = 7,
    /// Unknown or forbidden: nobody is told which.
    UnknownService = 8,
    NotJoined = 9,
    Internal = 10,
}

/// Mistakes of one file that a person is told of at once: the file of somebody who meant another one has thousands.
const TOLD: usize = 20;

/// Why a verb did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: Option<Code>,
    title: String,
    cause: String,
    next: String,
    mistakes: Vec<ConfigMistake>,
}

/// A failure as `--json` says it, on standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    pub(crate) error: Cause,
}

/// What went wrong. Exit code and `TG-xxxx` are stable, the sentences may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cause {
    /// 2 usage, 3 sign in first, 4 refused, 5 network, 6 this computer, 7 too slow, 8 no such service, 9 not joined, 10 our fault.
    pub(crate) exit: u8,
    /// `TG-1001`, where the problem has a code.
    pub(crate) code: Option<String>,
    pub(crate) title: String,
    pub(crate) cause: String,
    pub(crate) next: String,
    /// What is wrong in a settings file, each thing once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mistakes: Vec<Mistake>,
}

/// One thing to correct in a settings file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mistake {
    /// Where: `ports.warehouse`, `service[1].target`, `line 7`, or the path of a file that cannot be read.
    pub(crate) key: String,
    pub(crate) reason: String,
    pub(crate) fix: String,
}

impl From<&ConfigMistake> for Mistake {
    fn from(mistake: &ConfigMistake) -> Self {
        Self {
            key: readable(&mistake.key),
            reason: readable(&mistake.reason),
            fix: readable(&mistake.fix.to_string()),
        }
    }
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        title: impl Into<String>,
        cause: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let (title, cause, next) = (title.into(), cause.into(), next.into());
        Self {
            exit,
            code: None,
            title,
            cause,
            next,
            mistakes: Vec::new(),
        }
    }

    /// A file with mistakes in it; `file` is the path as the person gave it.
    pub(crate) fn mistakes(file: &std::path::Path, Mistakes(mistakes): Mistakes) -> Self {
        let cause = match mistakes.len() {
            1 => "It has one mistake.".to_owned(),
            count => format!("It has {count} mistakes."),
        };
        let title = format!("{} cannot be used", file.display());
        let next = "Correct what is listed and run this again.";
        Self {
            mistakes,
            ..Self::new(Exit::Usage, title, cause, next)
        }
    }

    /// A value that would make a mistake of a settings file: nothing was written.
    pub(crate) fn unwritten(key: &str, Mistakes(mistakes): Mistakes) -> Self {
        Self {
            mistakes,
            code: Some(Code::ConfigWrong),
            ..Self::new(
                Exit::Usage,
                format!("{key} was not changed"),
                "With that, Tidegate could not start.",
                "Correct what is listed and run this again.",
            )
        }
    }

    /// An argument that cannot be used.
    pub(crate) fn unusable(argument: &str, error: &dyn std::error::Error, fix: &str) -> Self {
        let title = format!("{argument} cannot be used");
        Self::new(
            Exit::Usage,
            title,
            error.to_string(),
            format!("Write {fix}."),
        )
    }

    /// We were wrong: nobody but us can repair it.
    pub(crate) fn internal(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(
            Exit::Internal,
            what,
            error.to_string(),
            "Please report this to the makers of Tidegate.",
        )
    }

    /// What and why in one line, for a log.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.title, self.cause)
    }

    pub(crate) fn code(&self) -> Option<Code> {
        self.code
    }

    pub(crate) fn is_unknown_service(&self) -> bool {
        self.exit == Exit::UnknownService
    }

    /// Adds what was probably meant.
    pub(crate) fn meant(self, name: &str) -> Self {
        let next = format!("Did you mean `{name}`? {}", self.next);
        Self { next, ..self }
    }

    /// Prints and gives the exit code: the last thing a process does. Whatever files, hubs and people put into a sentence
    /// comes by here, so here it is made unable to steer a terminal.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let said = json
            .then(|| serde_json::to_string(&self.said()).ok())
            .flatten();
        let text = said.unwrap_or_else(|| readable(&self.to_string()));
        // Nobody may be listening on standard error; the exit code still speaks.
        let _ = writeln!(std::io::stderr(), "{text}");
        ExitCode::from(self.exit as u8)
    }

    fn said(&self) -> Said {
        Said {
            error: Cause {
                exit: self.exit as u8,
                code: self.code.map(|code| code.to_string()),
                title: readable(&self.title),
                cause: readable(&sentence(&self.cause)),
                next: readable(&sentence(&self.next)),
                mistakes: self.mistakes.iter().map(Mistake::from).collect(),
            },
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let words = words(&problem);
        let code = Some(problem.code);
        let service = problem.facts.service.as_ref().map(ToString::to_string);
        let next = at_a_terminal(problem.code, service.as_deref(), words.next);
        Self {
            code,
            ..Self::new(exit(problem.code), words.title, words.cause, next)
        }
    }
}

/// What the words call Settings, or date and time, is a command here: added where there is one.
pub(crate) fn at_a_terminal(code: Code, service: Option<&str>, next: String) -> String {
    let command = match (code, service) {
        (Code::PortTaken | Code::PortNotFree, Some(service)) => {
            format!("tidegate config set ports.{service} 15999")
        }
        (Code::ClockOff, _) if cfg!(target_os = "linux") => "timedatectl set-ntp true".to_owned(),
        _ => return next,
    };
    format!("{next} At a terminal: `{command}`.")
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Problem(problem) => problem.into(),
            ConfigError::File(file, mistakes) => Self {
                code: Some(Code::ConfigWrong),
                ..Self::mistakes(&file, mistakes)
            },
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Problem::new(code).into()
    }
}

/// What a script is told about a problem.
pub(crate) fn exit(code: Code) -> Exit {
    match code {
        Code::TimedOut | Code::SignInTimedOut | Code::TargetSilent => Exit::TimedOut,
        Code::NotAvailable => Exit::UnknownService,
        Code::SessionExpired => Exit::NeedsSignIn,
        Code::RequestUnfit | Code::ConfigWrong | Code::WhichOrg => Exit::Usage,
        Code::RequestNotOpen | Code::ComputerNotListed | Code::IntroductionOver => {
            Exit::UnknownService
        }
        Code::RequestExpired => Exit::TimedOut,
        Code::NotJoined => Exit::NotJoined,
        Code::NotEnrolled
        | Code::KeyMissing
        | Code::TicketUsed
        | Code::TicketExpired
        | Code::TicketForAnother => Exit::Refused,
        Code::RevokedByAdmin | Code::KillSwitch | Code::GrantEnded | Code::GrantEndedByPeople => {
            Exit::Refused
        }
        Code::ClockOff => Exit::ThisComputer,
        other => match other.number() / 1000 {
            1 | 5 => Exit::Network,
            2 => Exit::Refused,
            3 => Exit::NeedsSignIn,
            4 | 6 => Exit::ThisComputer,
            7 => Exit::Network,
            _ => Exit::Internal,
        },
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.title)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        write!(f, "\n  {}", sentence(&self.cause))?;
        for mistake in self.mistakes.iter().take(TOLD) {
            // The key may be anything that somebody wrote in the file.
            let key = Shown::new(&mistake.key);
            write!(f, "\n  - {key}: {}", mistake.reason)?;
            match &mistake.fix {
                Fix::Write(text) => write!(f, "\n    write: {text}")?,
                Fix::Mend(_) => write!(f, "\n    {}", mistake.fix)?,
            }
        }
        if let Some(more @ 1..) = self.mistakes.len().checked_sub(TOLD) {
            write!(f, "\n  - and {more} more")?;
        }
        write!(f, "\n  {}", sentence(&self.next))
    }
}

/// Errors are lowercase without a full stop; what a person reads is not.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(letters)
        .chain(['.'])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn prints_what_why_and_what_to_do() {
        let failure = Failure::new(
            Exit::Network,
            "no hub",
            "Nothing answers at hub:1.",
            "Check the address.",
        );

        assert_eq!(
            failure.to_string(),
            "error: no hub\n  Nothing answers at hub:1.\n  Check the address."
        );
    }

    #[test]
    fn prints_the_code_of_a_problem() {
        let text = Failure::from(Code::TicketUsed).to_string();

        assert!(text.contains("(TG-4002)\n"), "{text}");
    }

    #[test]
    fn prints_every_mistake_of_a_file() {
        let mistake = |key: &str| ConfigMistake {
            key: key.into(),
            reason: "it is missing".into(),
            fix: Fix::Write("it".into()),
        };

        let failure = Failure::mistakes(
            Path::new("org.toml"),
            Mistakes(vec![mistake("a.b"), mistake("c")]),
        );

        let text = failure.to_string();
        assert!(
            text.contains("org.toml cannot be used\n  It has 2 mistakes."),
            "{text}"
        );
        assert!(
            text.contains("- a.b: it is missing\n    write: it\n  - c: "),
            "{text}"
        );
    }

    #[test]
    fn a_wrong_file_does_not_fill_the_terminal() {
        let mistake = |n: usize| ConfigMistake {
            key: format!("key{n}"),
            reason: "there is no such key".into(),
            fix: Fix::Write("it".into()),
        };

        let failure = Failure::mistakes(
            Path::new("agent.toml"),
            Mistakes((0..9000).map(mistake).collect()),
        );

        let text = failure.to_string();
        assert_eq!(text.matches("\n  - key").count(), TOLD);
        assert!(text.contains("- and 8980 more\n"), "{text}");
        assert!(text.contains("It has 9000 mistakes."), "{text}");
        assert_eq!(failure.said().error.mistakes.len(), 9000);
    }

    #[test]
    fn what_the_words_call_settings_is_a_command_at_a_terminal() {
        let problem = Problem::new(Code::PortTaken).port(15432);
        let named = problem
            .clone()
            .service(&"warehouse".parse().expect("a name"));

        let said = Failure::from(named).to_string();

        assert!(
            said.contains("`tidegate config set ports.warehouse 15999`"),
            "{said}"
        );
        assert!(!Failure::from(problem).to_string().contains("config set"));
    }

    #[test]
    fn a_script_can_tell_what_to_do_from_the_exit_code() {
        // Every code there is: whoever adds one decides what a script is told, whoever moves one breaks scripts.
        let table = [
            (2, "2029 4014 6003"),
            (
                3,
                "2003 3001 3002 3004 3005 3006 3007 3008 3009 3010 3011 3012 3013 3014 3015 3016 3017 3018",
            ),
            (
                4,
                "2002 2004 2005 2006 2007 2008 2020 2021 2022 2023 2024 2025 2026 2030 2031 2032 4002 4003 4004 4009 4015 7002 7007 7020 7021",
            ),
            (
                5,
                "1001 1002 1003 1004 1005 1007 1009 1010 1011 1012 5001 5002 5003 5004 5006 5007 5008 5009 5010 5011 5012 7001 7003 7004 7005 7006 7008 7009 7010",
            ),
            (
                6,
                "1006 4001 4005 4006 4008 4011 4012 4013 4017 4018 4030 4031 6001 6002 6004 6005 6006 6007 6008 6009 6010 6011 6012 6013 6014 6015 6016 6017",
            ),
            (7, "1008 2027 3003 5005"),
            (8, "2001 2028 4010 4016"),
            (9, "4007"),
            (10, "9001 9002 9003"),
        ];

        let mut told: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for code in Code::ALL {
            let number = code.number().to_string();
            told.entry(exit(*code) as u8).or_default().push(number);
        }
        for (exit, codes) in table {
            let mut now = told.remove(&exit).unwrap_or_default();
            now.sort();
            assert_eq!(now.join(" "), codes, "exit {exit}");
        }
        assert!(told.is_empty(), "{told:?}");
    }
}
