//! What the owner wants kept of a service's statements. Without a word about it nothing is: texts of statements are data
//! about people, and they fill a disk; whoever owns the database decides that they are kept, and what a full disk means.

use std::fmt;
use std::str::FromStr;

use tidegate_link::settings_file::Reader;

/// What is kept of each statement.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StatementSettings {
    pub record: TextKept,
    pub parameters: ParametersKept,
    pub when_full: WhenFull,
}

/// What is kept of its text.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TextKept {
    /// As it was sent.
    Text,
    /// Without literals; only hash and length where it is not sure what is one.
    Redacted,
}

/// What is kept of bind parameters.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum ParametersKept {
    #[default]
    None,
    /// Type, format and length.
    Types,
    /// The values too.
    Values,
}

/// What happens when statements come faster than they can be kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Sessions wait.
    #[default]
    Block,
    /// They go on, and the record says how much it misses.
    Gap,
}

/// In the words of the file.
impl fmt::Display for StatementSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = match self.record {
            TextKept::Text => "text",
            TextKept::Redacted => "redacted",
        };
        let parameters = match self.parameters {
            ParametersKept::None => "none",
            ParametersKept::Types => "types",
            ParametersKept::Values => "values",
        };
        let when_full = match self.when_full {
            WhenFull::Block => "block",
            WhenFull::Gap => "gap",
        };
        write!(
            f,
            "record {record}, parameters {parameters}, when_full {when_full}"
        )
    }
}

/// None of the words that are known here.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such choice")]
pub struct NoSuchChoice;

/// `none` is a choice, too.
struct Record(Option<TextKept>);

impl FromStr for Record {
    type Err = NoSuchChoice;

    fn from_str(text: &str) -> Result<Self, NoSuchChoice> {
        match text {
            "text" => Ok(Self(Some(TextKept::Text))),
            "redacted" => Ok(Self(Some(TextKept::Redacted))),
            "none" => Ok(Self(None)),
            _ => Err(NoSuchChoice),
        }
    }
}

impl FromStr for ParametersKept {
    type Err = NoSuchChoice;

    fn from_str(text: &str) -> Result<Self, NoSuchChoice> {
        match text {
            "none" => Ok(Self::None),
            "types" => Ok(Self::Types),
            "values" => Ok(Self::Values),
            _ => Err(NoSuchChoice),
        }
    }
}

impl FromStr for WhenFull {
    type Err = NoSuchChoice;

    fn from_str(text: &str) -> Result<Self, NoSuchChoice> {
        match text {
            "block" => Ok(Self::Block),
            "gap" => Ok(Self::Gap),
            _ => Err(NoSuchChoice),
        }
    }
}

impl StatementSettings {
    /// `None` when nothing is to be kept, or after a note was made.
    pub(super) fn read(service: &mut Reader<'_>) -> Option<Self> {
        let mut table = service.optional_table("statements")?;
        let record: Option<Record> =
            table.parsed("record", "record = \"text\", \"redacted\" or \"none\"");
        let parameters = table.optional_parsed(
            "parameters",
            "parameters = \"none\", \"types\" or \"values\"",
        );
        let when_full = table.optional_parsed("when_full", "when_full = \"block\" or \"gap\"");
        let nothing = matches!(record, Some(Record(None)));
        if nothing && (parameters.is_some() || when_full.is_some()) {
            table.note(
                "record",
                "nothing is recorded, and what is beside it asks for more",
                "record = \"text\" or \"redacted\", or nothing beside it",
            );
        }
        table.finish();
        let Record(record) = record?;
        Some(Self {
            record: record?,
            parameters: parameters.unwrap_or_default(),
            when_full: when_full.unwrap_or_default(),
        })
    }
}
