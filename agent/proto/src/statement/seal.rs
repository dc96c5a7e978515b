//! `tg-seal`: the authority's countersignature: this statement was in its record at this time, at this place.
//! It proves when, not that anything is allowed: what it seals must be believed for reasons of its own.

use super::{Statement, StatementError, require};
use crate::{identity::sha256, names::OrgName, strict, time::UnixTime};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Names a signed statement by its text: SHA-256 over a label and the JWS.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StatementHash(pub [u8; 32]);

/// A grant is named by the request that it answers: approvals may be added to it, and it stays the same one.
pub type GrantId = StatementHash;

impl StatementHash {
    /// The name of the statement that `jws` is.
    #[must_use]
    pub fn of(jws: &str) -> Self {
        Self(sha256(&[b"tidegate/statement/v1\0", jws.as_bytes()]))
    }
}

impl FromStr for StatementHash {
    type Err = strict::StrictError;

    fn from_str(text: &str) -> Result<Self, strict::StrictError> {
        let bytes = strict::base64url(text)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| strict::StrictError::Shape)
    }
}

impl TryFrom<String> for StatementHash {
    type Error = strict::StrictError;

    fn try_from(text: String) -> Result<Self, strict::StrictError> {
        text.parse()
    }
}

impl From<StatementHash> for String {
    fn from(hash: StatementHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for StatementHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&strict::to_base64url(&self.0))
    }
}

/// A countersignature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    pub org: OrgName,
    /// The statement that was sealed.
    pub of: StatementHash,
    /// By the authority's clock.
    pub at: UnixTime,
    /// The line of the authority's record that says so, from 1.
    pub index: u64,
}

impl Statement for Seal {
    const TYP: &'static str = "tg-seal";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(self.index > 0)
    }
}
