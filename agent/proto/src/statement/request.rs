//! `tg-request`: a person asks for access to a service, for so long, because of this; signed by the device that will use it.
//! It gives nothing by itself. An outlet takes it without an approval only where a root-signed rule says so.

use super::{GrantId, Statement, StatementError, is_id, is_label, require};
use crate::{
    identity::PeerId,
    names::{OrgName, ServiceName, Subject},
    text::MAX_SHOWN,
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// How much is asked for, or given: an answer may be narrower than the question, and never wider.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// From the first use on.
    pub seconds: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Extent {
    /// Shortest work window, in seconds.
    pub const SHORTEST: u64 = 60;
    /// Longest work window that any policy may allow, in seconds.
    pub const LONGEST: u64 = 7 * 86_400;

    /// Whether this gives nothing that `other` does not.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self.seconds <= other.seconds && (self.read_only || !other.read_only)
    }

    /// What both give.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.min(other.seconds),
            read_only: self.read_only || other.read_only,
        }
    }

    pub(super) fn check(&self) -> Result<(), StatementError> {
        require((Self::SHORTEST..=Self::LONGEST).contains(&self.seconds))
    }
}

/// A request for access.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRequest {
    pub org: OrgName,
    pub sub: Subject,
    /// The device that asks, and the only one that may use the answer.
    pub device: PeerId,
    pub service: ServiceName,
    pub extent: Extent,
    /// The person's own words, for whoever decides and for the record.
    pub reason: String,
    /// Break-glass: judged by other rules, and told to everybody who could have approved.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emergency: bool,
    /// The grant that this one is to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    pub at: UnixTime,
    /// 128 random bits.
    pub id: String,
}

impl AccessRequest {
    /// Longest reason, in characters: what is signed is shown and recorded whole.
    pub const MAX_REASON: usize = MAX_SHOWN;

    /// Whether a text can be a reason: not blank, not too long, nothing invisible in it, one line.
    #[must_use]
    pub fn is_reason(text: &str) -> bool {
        let fits = text.chars().count() <= Self::MAX_REASON;
        fits && !text.trim().is_empty() && is_label(text, 4 * Self::MAX_REASON)
    }
}

impl Statement for AccessRequest {
    const TYP: &'static str = "tg-request";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        self.extent.check()?;
        require(Self::is_reason(&self.reason) && is_id(&self.id))
    }
}
