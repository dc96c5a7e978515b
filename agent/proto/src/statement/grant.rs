//! `tg-grant`: one person approves one request, as it is or narrower, with the key of their own device.
//! It names the request by its hash, so it fits no other person, device, service or length of time.

use super::{Extent, GrantId, Statement, StatementError, is_id, require};
use crate::{names::OrgName, time::UnixTime};
use serde::{Deserialize, Serialize};

/// An approval.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantStatement {
    pub org: OrgName,
    /// The `tg-request` that is approved.
    pub request: GrantId,
    /// At most what was asked for.
    pub extent: Extent,
    pub at: UnixTime,
    /// 128 random bits.
    pub id: String,
}

impl Statement for GrantStatement {
    const TYP: &'static str = "tg-grant";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        self.extent.check()?;
        require(is_id(&self.id))
    }
}
