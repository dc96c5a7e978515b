//! Statements of a session with a database, as an audit keeps them: many in one line, since each line is signed.
//! A text stands once, where it came; what runs it refers to it by its number. Later words about a number add to earlier ones.

use super::Digest;
use crate::{
    names::{ServiceName, Subject},
    statement::GrantId,
    text::Shown,
};
use serde::{Deserialize, Serialize};

/// Some of the statements of one portal, in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// As in the record of the portal's opening.
    pub channel: String,
    pub portal: u64,
    pub service: ServiceName,
    pub sub: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// So many words about this portal's statements before these found no room and were dropped, by the owner's choice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    pub said: Vec<Said>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One word about one statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Counts the portal's statements from 1; 0 is its startup.
    pub n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Goes on with the text of `asked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a statement came.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// What the session began with, as the database was told, without the user: database, options, encoding.
    Startup,
    /// A simple query: all statements of its text.
    Query,
    /// A text to be run later, or never.
    Parse,
    /// A prepared statement with parameters, under a name.
    Bind,
    Execute,
    /// A function by its OID.
    Function,
    /// The end of a batch; written when it failed.
    Sync,
}

/// What a program sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    pub at: u64,
    pub how: How,
    /// What it runs: the number of a Parse or Bind of this portal. Of a Sync: the first of its batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Of a prepared statement or portal, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<u32>,
    /// As sent, or its beginning. Not there where literals had to go and could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Literals in `text` are `?`, and comments are gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// Of what was sent, where `text` is not that: its length in bytes and its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
}

/// Bind parameters, or a function's arguments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// How many there were.
    pub count: u16,
    /// The first of them.
    pub listed: Vec<Parameter>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The type's OID, where the program named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// In bytes; NULL has none.
    pub bytes: Option<u32>,
    /// The value or its beginning; hexadecimal for a binary one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What became of a statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub how: Outcome,
    pub microseconds: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// SQLSTATE, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Shown>,
    /// What it ran after all, where that is not what `asked` says; 0 where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// With which parameters, where they were not those in `asked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// So many statements of a text were done before one of them failed; what they did may have come to stay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub completed: u64,
    /// It ended with a ROLLBACK: its own, or the answer to a COMMIT that was not possible.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    /// As many rows as were asked for; there may be more.
    Suspended,
    Failed,
    /// Passed over after an error.
    Skipped,
    /// The session ended before the answer.
    Cut,
    /// The database's answers could not be told apart.
    Unknown,
}
