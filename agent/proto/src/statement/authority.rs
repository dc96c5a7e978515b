//! `tg-authority`: the org root says which online key may issue credentials, for 30 days.
//! The successor is signed before the old one ends; a statement with a lower version is never taken again.

use super::{Statement, StatementError, check_now, check_span};
use crate::{
    identity::{NoisePublic, VerifyKey},
    names::OrgName,
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// The authority's keys and how long they are good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityStatement {
    pub org: OrgName,
    /// Signs credentials, passes and beacons.
    pub key: VerifyKey,
    /// Answers the control API.
    pub noise: NoisePublic,
    pub not_before: UnixTime,
    pub not_after: UnixTime,
    /// Counts up; replaces every statement with a lower one.
    pub version: u64,
}

impl AuthorityStatement {
    /// How long one is meant to live, in seconds.
    pub const LIFE: u64 = 30 * 86_400;
    /// From how many seconds before its end the administrator is warned.
    pub const WARNING: u64 = 10 * 86_400;

    /// Whether it speaks for the authority at `now`.
    ///
    /// # Errors
    /// `NotYet` or `Expired`.
    pub fn valid_at(&self, now: UnixTime) -> Result<(), StatementError> {
        check_now(self.not_before, self.not_after, now)
    }
}

impl Statement for AuthorityStatement {
    const TYP: &'static str = "tg-authority";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        check_span(self.not_before, self.not_after, Self::LIFE + 86_400)
    }
}
