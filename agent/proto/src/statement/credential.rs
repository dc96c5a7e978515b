//! `tg-cred`: for ten minutes, the authority says that this identity key is an enrolled device of this person.
//! It never repeats what the identity provider owns (groups, department): an attribute has one owner.

use super::{Statement, StatementError, check_now, check_span, is_id, is_label, require};
use crate::{
    identity::PeerId,
    names::{OrgName, Subject},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};

/// How well the sign-in is bound to the device.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// It has no nonce (device-code sign-in); policies deny it unless they name it.
    Low,
    /// The ID token's nonce commits to the identity key.
    High,
}

impl Assurance {
    /// As policies see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }
}

/// A credential (JWT claims; `cnf` as in RFC 7800 section 3.4, naming the key by fingerprint).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    pub org: OrgName,
    pub sub: Subject,
    #[serde(with = "cnf")]
    pub cnf: PeerId,
    /// The device's name, for people.
    pub device: String,
    /// The revocation epoch it was issued in.
    pub epoch: u64,
    pub assurance: Assurance,
    #[serde(rename = "nbf")]
    pub not_before: UnixTime,
    #[serde(rename = "exp")]
    pub not_after: UnixTime,
    #[serde(rename = "jti")]
    pub id: String,
}

impl Credential {
    /// How long one lives, in seconds.
    pub const LIFE: u64 = 600;

    /// Whether it is valid at `now`, give or take the skew.
    ///
    /// # Errors
    /// `NotYet` or `Expired`.
    pub fn valid_at(&self, now: UnixTime) -> Result<(), StatementError> {
        check_now(self.not_before, self.not_after, now)
    }
}

impl Statement for Credential {
    const TYP: &'static str = "tg-cred";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        check_span(self.not_before, self.not_after, Self::LIFE)?;
        require(is_id(&self.id) && is_label(&self.device, 120))
    }
}

/// `"cnf": {"kid": "<fingerprint>"}`.
pub(crate) mod cnf {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Confirmation<T> {
        kid: T,
    }

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        kid: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        Confirmation { kid }.serialize(to)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        Confirmation::deserialize(from).map(|confirmation| confirmation.kid)
    }
}
