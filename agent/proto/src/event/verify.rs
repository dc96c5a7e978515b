//! Reading an audit chain offline and naming the first line that cannot be true.
//! A tail that was cut off shows only against a head that somebody kept elsewhere: pass it in where there is one.

use super::{Chain, Event, MAX_LINE};
use crate::{
    identity::VerifyKey,
    names::OrgName,
    statement::{JwsError, Statement, StatementError},
};

/// Where a chain ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of events.
    pub seq: u64,
    pub digest: super::Digest,
}

/// What is wrong with a line.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Why {
    #[error("is not a signed event")]
    Unreadable,
    #[error("has a signature that does not verify")]
    Signature,
    #[error("was signed by another key")]
    OtherKey,
    #[error("belongs to another org")]
    OtherOrg,
    #[error("does not follow from the line before: lines are missing, added or out of order")]
    OutOfOrder,
    #[error("is where the chain ends, but it once was longer")]
    CutOff,
}

/// The first bad line.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line} {why}")]
pub struct FirstBad {
    /// Counts from 1.
    pub line: u64,
    pub why: Why,
}

/// Checks a chain line by line.
pub struct Verifier {
    key: VerifyKey,
    chain: Chain,
    line: u64,
}

impl Verifier {
    /// For a chain kept by `key`, from its first line on.
    #[must_use]
    pub fn new(org: &OrgName, key: &VerifyKey) -> Self {
        Self {
            key: *key,
            chain: Chain::start(org, key),
            line: 0,
        }
    }

    /// For the part of a chain that follows `last_line`, of which only the signature is checked. Lines count from 1 again.
    ///
    /// # Errors
    /// When `last_line` is not an event of this chain's keeper.
    pub fn resume(org: &OrgName, key: &VerifyKey, last_line: &str) -> Result<Self, StatementError> {
        let chain = Chain::resume(org, key, last_line)?;
        Ok(Self {
            key: *key,
            chain,
            line: 0,
        })
    }

    /// Checks the next line, without its line feed, and gives the event in it.
    ///
    /// # Errors
    /// When the line cannot be true. Everything after it proves nothing.
    pub fn line(&mut self, line: &[u8]) -> Result<Event, FirstBad> {
        self.line += 1;
        let event = self.read(line).map_err(|why| FirstBad {
            line: self.line,
            why,
        })?;
        Ok(event)
    }

    fn read(&mut self, line: &[u8]) -> Result<Event, Why> {
        let text = std::str::from_utf8(line).map_err(|_| Why::Unreadable)?;
        if text.len() > MAX_LINE {
            return Err(Why::Unreadable);
        }
        let event = Event::verify(text, &self.key).map_err(|error| why(&error))?;
        if event.org != self.chain.org {
            return Err(Why::OtherOrg);
        }
        if event.prev != self.chain.prev || event.seq != self.chain.seq.saturating_add(1) {
            return Err(Why::OutOfOrder);
        }
        self.chain.seq = event.seq;
        self.chain.prev = super::Digest::of_line(text);
        Ok(event)
    }

    /// Where the chain ends so far.
    #[must_use]
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    /// The writing end, to go on from here.
    #[must_use]
    pub fn into_chain(self) -> Chain {
        self.chain
    }
}

/// Checks a whole chain; `kept` is an earlier head that the chain must still contain.
///
/// # Errors
/// The first bad line.
pub fn verify<'a>(
    org: &OrgName,
    key: &VerifyKey,
    lines: impl IntoIterator<Item = &'a [u8]>,
    kept: Option<Head>,
) -> Result<Head, FirstBad> {
    let mut verifier = Verifier::new(org, key);
    for line in lines {
        verifier.line(line)?;
        let here = verifier.head();
        if kept.is_some_and(|kept| kept.seq == here.seq && kept != here) {
            return Err(FirstBad {
                line: verifier.line,
                why: Why::OutOfOrder,
            });
        }
    }
    let head = verifier.head();
    match kept {
        Some(kept) if kept.seq > head.seq => Err(FirstBad {
            line: verifier.line,
            why: Why::CutOff,
        }),
        _ => Ok(head),
    }
}

fn why(error: &StatementError) -> Why {
    match error {
        StatementError::Jws(JwsError::Signature) => Why::Signature,
        StatementError::Jws(JwsError::Key) => Why::OtherKey,
        _ => Why::Unreadable,
    }
}
