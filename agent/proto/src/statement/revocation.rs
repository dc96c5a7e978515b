//! `tg-revocation`: the org root takes a person or a device back. `tidegate revoke` signs one and the hub spreads it.
//! The hub could sit on it; what ends access even then is that credentials live ten minutes.

use super::{Statement, StatementError, is_id, is_label, require};
use crate::{
    identity::PeerId,
    names::{OrgName, Subject},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// Who is revoked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevokeTarget {
    Subject(Subject),
    /// One device, by its identity key.
    Device(PeerId),
}

/// An order to revoke.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    pub org: OrgName,
    pub who: RevokeTarget,
    pub at: UnixTime,
    pub id: String,
    /// The administrator's own words, for the record.
    pub reason: String,
}

impl Statement for Revocation {
    const TYP: &'static str = "tg-revocation";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(is_id(&self.id) && is_label(&self.reason, 400))
    }
}
