//! The AUTH record: the first thing an agent says on a new channel, and REAUTH, which has the same form.
//! It only carries claims; `session` decides whether they hold. The signature is over this channel's hash and no other.

use crate::{
    channel::HandshakeHash,
    grant::Grant,
    identity::{SigningKey, VerifyKey},
    legs::Legs,
    names::ServiceName,
    statement::DeviceChain,
    strict::{self, StrictError, fixed},
};
use serde::{Deserialize, Serialize};

pub use crate::frame::MAX_AUTH;

/// What an agent presents (PROTOCOL section 7, record 0). No `Debug`: ID tokens do not belong into a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub service: ServiceName,
    /// `tg-cred`, compact JWS.
    pub credential: String,
    /// The first ID token of the session, whose nonce commits to `identity`.
    pub id_token_0: String,
    /// The randomness of the commitment.
    #[serde(with = "fixed")]
    pub rz: [u8; 32],
    pub identity: VerifyKey,
    /// The newest refreshed ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_n: Option<String>,
    /// How the device was enrolled, for policies that ask for more than the authority's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<DeviceChain>,
    /// What was asked for and given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// By `identity` over `proof_input` of this channel.
    #[serde(with = "fixed")]
    pub signature: [u8; 64],
}

/// What the identity key signs: `"tidegate/pop/v1\0" ‖ final handshake hash`.
#[must_use]
pub fn proof_input(hash: &HandshakeHash) -> Vec<u8> {
    [b"tidegate/pop/v1\0".as_slice(), &hash.0].concat()
}

/// Proves possession of `key` on the channel named by `hash`.
#[must_use]
pub fn prove(hash: &HandshakeHash, key: &SigningKey) -> [u8; 64] {
    key.sign(&proof_input(hash))
}

impl Auth {
    /// Who it says is there.
    #[must_use]
    pub fn legs(&self) -> Legs {
        Legs {
            identity: self.identity,
            credential: self.credential.clone(),
            id_token_0: self.id_token_0.clone(),
            rz: self.rz,
            id_token_n: self.id_token_n.clone(),
            enrolment: self.enrolment.clone(),
        }
    }

    /// As JSON, the body of an AUTH or REAUTH frame.
    ///
    /// # Errors
    /// `Size` when it would be refused for its size at the other end.
    ///
    /// # Panics
    /// Never: plain data with text keys always serialises.
    pub fn encode(&self) -> Result<Vec<u8>, StrictError> {
        let bytes = serde_json::to_vec(self).expect("an auth record serialises");
        if bytes.len() > MAX_AUTH {
            Err(StrictError::Size)
        } else {
            Ok(bytes)
        }
    }

    /// Reads the body of an AUTH or REAUTH frame.
    ///
    /// # Errors
    /// For anything but one JSON object of exactly this shape within the bounds.
    pub fn decode(record: &[u8]) -> Result<Self, StrictError> {
        strict::json(record, MAX_AUTH)
    }
}
