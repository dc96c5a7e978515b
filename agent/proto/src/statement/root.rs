//! `tg-root`: the org's next root key, said by the key before it and by the new one itself.
//! A chain is walked forward from the fingerprint in the join link, never back and never past a gap.

use super::{Statement, StatementError, require};
use crate::{
    identity::{PeerId, VerifyKey},
    names::OrgName,
};
use serde::{Deserialize, Serialize};

/// Root key number `number`; the first is 1 and signs only itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootStatement {
    pub org: OrgName,
    pub key: VerifyKey,
    pub number: u32,
}

/// Longest chain of rotations that is walked.
const MAX_ROOTS: usize = 64;

impl Statement for RootStatement {
    const TYP: &'static str = "tg-root";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(self.number >= 1)
    }
}

/// Finds the newest root key that follows from `fingerprint`.
///
/// `chain` holds, in order, root 1 signed by itself, then for every rotation root n+1 signed by root n
/// and the same statement signed by root n+1. The key that `fingerprint` names may be any of them;
/// whoever asks again and again does so through `Seen::root`, which never goes back.
///
/// # Errors
/// `Root` when the fingerprint is not in the chain or a link is missing; otherwise what is wrong with a link.
pub fn walk_roots(
    chain: &[String],
    org: &OrgName,
    fingerprint: PeerId,
) -> Result<VerifyKey, StatementError> {
    let (first, rotations) = chain.split_first().ok_or(StatementError::Root)?;
    if chain.len() > 2 * MAX_ROOTS || rotations.len() % 2 != 0 {
        return Err(StatementError::Root);
    }
    let mut newest = self_signed(first, org)?;
    let mut trusted = newest.key.peer_id() == fingerprint;
    for pair in rotations.chunks_exact(2) {
        let by_old = RootStatement::verify_for(&pair[0], &newest.key, org)?;
        let by_new = RootStatement::verify_for(&pair[1], &by_old.key, org)?;
        if by_old != by_new || by_old.number != newest.number.saturating_add(1) {
            return Err(StatementError::Root);
        }
        newest = by_old;
        trusted |= newest.key.peer_id() == fingerprint;
    }
    if trusted {
        Ok(newest.key)
    } else {
        Err(StatementError::Root)
    }
}

/// Reads the first root: its key is inside it, and it must have signed it.
fn self_signed(jws: &str, org: &OrgName) -> Result<RootStatement, StatementError> {
    let parts = crate::jws::split(jws, crate::jws::MAX_STATEMENT)?;
    let claimed: RootStatement = crate::strict::json(
        &crate::strict::base64url(parts.payload)?,
        crate::jws::MAX_STATEMENT,
    )?;
    let root = RootStatement::verify_for(jws, &claimed.key, org)?;
    if root.number == 1 {
        Ok(root)
    } else {
        Err(StatementError::Root)
    }
}
