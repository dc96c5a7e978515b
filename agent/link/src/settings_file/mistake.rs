//! A mistake in the configuration, as data: which key, why, what to write instead.
//! A reason may repeat what the file says about names and numbers, never what a login file or variable holds.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use super::SettingsFileError;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Dotted path in the file: `service[1].login.json_file`.
    pub key: String,
    pub reason: String,
    pub fix: Fix,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// What belongs at that key.
    Write(String),
    /// The file cannot be opened, or not be believed: nothing that is written in it helps.
    Mend(String),
}

impl Fix {
    /// Without what goes before it.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Write(text) | Self::Mend(text) => text,
        }
    }
}

/// As a sentence.
impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(text) => write!(f, "Write {text}."),
            Self::Mend(text) => write!(f, "{text}."),
        }
    }
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.key, self.reason, self.fix)
    }
}

/// All of them; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<ConfigMistake>);

impl Mistakes {
    /// A file that was not read at all.
    #[must_use]
    pub fn of_file(path: &Path, error: SettingsFileError) -> Self {
        Self(vec![ConfigMistake {
            key: path.display().to_string(),
            reason: error.to_string(),
            fix: Fix::Mend(error.fix().to_owned()),
        }])
    }

    /// Where only one line has room: the first, without its fix, and how many more there are.
    #[must_use]
    pub fn in_short(&self) -> String {
        let Some(first) = self.0.first() else {
            return "it has a mistake".to_owned();
        };
        let first_one = format!("{}: {}", first.key, first.reason);
        match self.0.len() {
            1 => first_one,
            2 => format!("{first_one}, and one more"),
            all => format!("{first_one}, and {} more", all - 1),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Where readers write mistakes down while they go on reading.
#[derive(Default)]
pub(super) struct Notes(RefCell<Vec<ConfigMistake>>);

impl Notes {
    pub(super) fn add(&self, mistake: ConfigMistake) {
        self.0.borrow_mut().push(mistake);
    }

    pub(super) fn into_vec(self) -> Vec<ConfigMistake> {
        self.0.into_inner()
    }
}
