//! `tg-pass`: the authority tells a relay to admit a link, without telling it whose it is.
//! The relay learns org, pseudonym and opaque handles, nothing else; a pass lets nobody into a service.

use super::{Statement, StatementError, is_id, require};
use crate::{names::OrgName, time::UnixTime};
use serde::{Deserialize, Serialize};

pub use crate::wire::link::ServiceHandle;

/// What the holder may do at the relay.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassRole {
    /// Open circuits to the handles.
    Agent,
    /// Be offered circuits for the handles.
    Outlet,
}

/// Admission to a relay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    pub org: OrgName,
    /// Stable enough to count by, says nothing about the person.
    pub pseudonym: String,
    pub role: PassRole,
    pub handles: Vec<ServiceHandle>,
    /// SHA-256 fingerprint of the link's Noise key (`NoisePublic::fingerprint`).
    #[serde(with = "cnf")]
    pub cnf: [u8; 32],
    #[serde(rename = "exp")]
    pub not_after: UnixTime,
}

impl Pass {
    /// How long one lives, in seconds.
    pub const LIFE: u64 = 600;
    /// Most handles in one pass: one for each service of a person or outlet.
    pub const MAX_HANDLES: usize = 256;

    /// Whether it admits at `now`; a pass that claims a longer life than there is was not issued as agreed.
    ///
    /// # Errors
    /// `Expired` or `NotYet`.
    pub fn valid_at(&self, now: UnixTime) -> Result<(), StatementError> {
        if self.not_after.has_ended(now) {
            return Err(StatementError::Expired);
        }
        let latest = now.plus(Self::LIFE + crate::time::SKEW);
        if self.not_after <= latest {
            Ok(())
        } else {
            Err(StatementError::NotYet)
        }
    }
}

impl Statement for Pass {
    const TYP: &'static str = "tg-pass";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(is_id(&self.pseudonym) && self.handles.len() <= Self::MAX_HANDLES)
    }
}

/// `"cnf": {"kid": "<base64url of the fingerprint>"}`.
mod cnf {
    use crate::{statement::credential::cnf, strict};
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        fingerprint: &[u8; 32],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        cnf::serialize(&strict::to_base64url(fingerprint), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text: String = cnf::deserialize(from)?;
        let bytes = strict::base64url(&text).map_err(D::Error::custom)?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("a fingerprint is 32 bytes"))
    }
}
