//! `tg-beacon`: every five seconds the authority says that it is there, and who has been revoked lately.
//! It lists revocations for as long as a credential from before them could live; who listens keeps them for good.

use super::{RevokeTarget, Statement, StatementError, require};
use crate::{names::OrgName, time::UnixTime};
use serde::{Deserialize, Serialize};

/// The newest versions the authority knows; a difference means: fetch again.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    pub services: u64,
    pub policies: u64,
    pub idp: u64,
}

/// One revocation: credentials of `who` from before `epoch` are worth nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    pub who: RevokeTarget,
    pub epoch: u64,
}

/// A sign of life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    pub org: OrgName,
    /// Counts up by one with every revocation; never goes back.
    pub epoch: u64,
    pub at: UnixTime,
    pub versions: Newest,
    pub revoked: Vec<Revoked>,
    /// Every credential from before this epoch is worth nothing: for when the list would become too long.
    #[serde(default)]
    pub floor: u64,
}

impl Beacon {
    /// Seconds between two of them.
    pub const EVERY: u64 = 5;
    /// After so many seconds without one the authority counts as away (PROTOCOL section 10).
    pub const AWAY_AFTER: u64 = 15;
    /// Most revocations in one beacon; beyond that the authority raises `floor`.
    pub const MAX_REVOKED: usize = 100;
}

impl Statement for Beacon {
    const TYP: &'static str = "tg-beacon";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(self.revoked.len() <= Self::MAX_REVOKED)?;
        require(self.floor <= self.epoch)?;
        require(
            self.revoked
                .iter()
                .all(|revoked| revoked.epoch <= self.epoch),
        )
    }
}
