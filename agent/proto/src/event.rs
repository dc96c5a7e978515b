//! Audit: every event is signed where it happens and holds the hash of the line before it.
//! A line that was not written is no proof: `Recorded` exists only after the caller has confirmed that it is on disk.

mod about;
mod kinds;
mod statements;
mod told;
mod verify;

pub use about::{About, Thread};
pub use kinds::{
    AccessApproved, AccessAsked, EventKind, Peer, PortalClosed, PortalOpened, PortalRefused,
    PortalResumed, Used,
};
pub use statements::{Asked, Ended, How, Outcome, Parameter, Parameters, Said, Statements};
pub use verify::{FirstBad, Head, Verifier, Why, verify};

use crate::{
    identity::{SigningKey, VerifyKey, sha256},
    names::OrgName,
    statement::{Statement, StatementError},
    strict,
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// The longest line of an audit file, without its line feed, in bytes.
pub const MAX_LINE: usize = crate::statement::MAX_STATEMENT;

/// SHA-256 over the line before, or over who keeps the chain for the first line.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// A SHA-256 of something else, in the shape in which an audit writes them.
    #[must_use]
    pub fn of_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    fn of_line(line: &str) -> Self {
        Self(sha256(&[b"tidegate/audit-line/v1\0", line.as_bytes()]))
    }

    fn of_nothing(org: &OrgName, key: &VerifyKey) -> Self {
        let org = org.as_str().as_bytes();
        Self(sha256(&[b"tidegate/audit-start/v1\0", key.as_bytes(), org]))
    }
}

impl TryFrom<String> for Digest {
    type Error = strict::StrictError;

    fn try_from(text: String) -> Result<Self, strict::StrictError> {
        let bytes = strict::base64url(&text)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| strict::StrictError::Shape)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        strict::to_base64url(&digest.0)
    }
}

/// `tg-event`: one thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub org: OrgName,
    /// Counts lines from 1.
    pub seq: u64,
    pub prev: Digest,
    pub at: UnixTime,
    pub what: EventKind,
}

impl Event {
    /// What a line says. Whether anybody signed it is not looked at: to show, never to decide.
    #[must_use]
    pub fn unproved(line: &str) -> Option<Self> {
        crate::jws::unproved(line).ok()
    }

    /// The number of a line, and its digest, by its own word.
    #[must_use]
    pub fn head_of(line: &str) -> Option<Head> {
        let digest = Digest::of_line(line);
        Self::unproved(line).map(|Self { seq, .. }| Head { seq, digest })
    }
}

impl Statement for Event {
    const TYP: &'static str = "tg-event";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        if self.seq == 0 {
            Err(StatementError::Content)
        } else {
            Ok(())
        }
    }
}

/// The writing end of an audit chain. Keep a clone from before a batch, to go back to if the batch cannot be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    org: OrgName,
    seq: u64,
    prev: Digest,
}

/// A line that has been made and not yet been written.
#[must_use = "a line must be written, or the chain put back"]
pub struct Appended {
    line: String,
    what: EventKind,
}

/// The proof that an event is durable.
#[derive(Debug)]
pub struct Recorded {
    what: EventKind,
}

impl Chain {
    /// A new chain kept by `key`.
    #[must_use]
    pub fn start(org: &OrgName, key: &VerifyKey) -> Self {
        Self {
            org: org.clone(),
            seq: 0,
            prev: Digest::of_nothing(org, key),
        }
    }

    /// Goes on after the last line of a file, which `key` must have signed.
    ///
    /// # Errors
    /// When that line is not an event of this chain's keeper.
    pub fn resume(org: &OrgName, key: &VerifyKey, last_line: &str) -> Result<Self, StatementError> {
        let last = Event::verify_for(last_line, key, org)?;
        Ok(Self {
            org: org.clone(),
            seq: last.seq,
            prev: Digest::of_line(last_line),
        })
    }

    /// Signs the next event. Nothing is proved until the line is on disk and `confirm`ed.
    pub fn append(&mut self, at: UnixTime, what: EventKind, key: &SigningKey) -> Appended {
        let seq = self.seq.saturating_add(1);
        let event = Event {
            org: self.org.clone(),
            seq,
            prev: self.prev,
            at,
            what,
        };
        let line = event.sign(key);
        self.seq = seq;
        self.prev = Digest::of_line(&line);
        Appended {
            line,
            what: event.what,
        }
    }

    /// The caller's word that the line has been written and synced.
    #[must_use]
    pub fn confirm(appended: Appended) -> Recorded {
        Recorded {
            what: appended.what,
        }
    }

    /// How many events there are, and the digest of the last; before the first, of who keeps the chain.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            digest: self.prev,
        }
    }
}

impl Appended {
    /// The line, without a line feed.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

impl Recorded {
    /// What was recorded.
    #[must_use]
    pub fn kind(&self) -> &EventKind {
        &self.what
    }

    pub(crate) fn into_kind(self) -> EventKind {
        self.what
    }
}

#[cfg(test)]
mod statements_tests;
#[cfg(test)]
mod tests;
