//! What is asked of the authority and what it answers: JSON bodies of HTTP/1.1 inside the channel (role `Api`).
//! The authority relays what the org root signed (`jws` fields); whoever receives it verifies it, whatever the channel says.

pub mod access;
pub mod devices;
pub mod record;
pub mod turn;

use serde::{Deserialize, Serialize};

use crate::{
    identity::{NoisePublic, PeerId, VerifyKey},
    names::OrgName,
    statement::{AuthorityStatement, EnrolmentChain, Statement, StatementError, walk_roots},
    strict,
    time::UnixTime,
    wire::link::ServiceHandle,
};

/// Largest request body, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Largest `Hello`, in bytes (it is preceded by a 16-bit length).
pub const MAX_HELLO: usize = 65_535;

/// Paths of the calls.
pub mod path {
    /// `GET` → [`super::Settings`].
    pub const SETTINGS: &str = "/v1/settings";
    /// `POST` [`super::EnrolRequest`] → [`super::EnrolAnswer`].
    pub const ENROL: &str = "/v1/enrol";
    /// `POST` [`super::CredentialRequest`] → [`super::CredentialAnswer`].
    pub const CREDENTIAL: &str = "/v1/credential";
    /// `POST` [`super::OutletRequest`] → [`super::OutletAnswer`].
    pub const OUTLET: &str = "/v1/outlet";
    /// `GET`, on a connection whose Noise key the catalogue names as a relay's → [`super::RelayAnswer`].
    pub const RELAY: &str = "/v1/relay";
    /// `GET`, on a connection that got a credential, outlet or relay answer → server-sent events, see [`super::event`].
    pub const EVENTS: &str = "/v1/events";
    /// `POST` [`super::RevokeRequest`] → [`super::RevokeAnswer`].
    pub const REVOKE: &str = "/v1/revoke";
    /// `POST` [`super::devices::IntroductionRequest`] → [`super::devices::Introduction`].
    pub const INTRODUCE: &str = "/v1/introductions";
    /// `POST` [`super::devices::IntroductionStep`] → [`super::devices::Introduction`].
    pub const INTRODUCTION: &str = "/v1/introductions/step";
    /// `POST` [`super::devices::DevicesRequest`] → [`super::devices::DevicesAnswer`].
    pub const DEVICES: &str = "/v1/devices";
    /// `POST` [`super::devices::InquiryRequest`] → [`super::devices::DevicesAnswer`].
    pub const INQUIRY: &str = "/v1/devices/of";
    /// `POST` [`super::access::AccessCall`] → [`super::access::AccessAnswer`].
    pub const ACCESS: &str = "/v1/access";
    /// `POST` [`super::record::HandIn`], on a connection that got an outlet answer → [`super::record::HandedIn`].
    pub const HAND_IN: &str = "/v1/record/lines";
    /// `POST` [`super::record::RecordRequest`] → [`super::record::RecordAnswer`].
    pub const RECORD: &str = "/v1/record";
}

/// Names of the server-sent events.
pub mod event {
    /// The data is a `tg-beacon` as compact JWS: every 5 s and at once on change.
    pub const BEACON: &str = "beacon";
    /// The data is empty: settings, catalogue or policy changed; ask for them again.
    pub const CHANGED: &str = "changed";
    /// To relays. The data is a JSON list of all pseudonyms that are shut out. Sent at once on change.
    pub const SHUT_OUT: &str = "shut-out";
    /// The data is a JSON list of [`super::devices::Introduction`]: all that concern the listener. Sent when it is not empty, and on change.
    pub const INTRODUCTIONS: &str = "introductions";
    /// For agents. The data is a JSON list of [`super::access::RequestView`]: all that concern the listener; the id is its [`super::turn::Turn`]. Sent when it is not empty, and on change.
    pub const ACCESS: &str = "access";
    /// For outlets. The data is [`super::access::GrantNews`] about the services that the outlet serves. Sent when it is not empty, and on change.
    pub const GRANTS: &str = "grants";
}

/// What the server sends in clear before the handshake: nothing in it is secret, all of it is signed by the root.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Chain of `tg-root`.
    pub roots: Vec<String>,
    /// The newest root key; a hint, the chain decides.
    pub root: VerifyKey,
    /// `tg-authority`.
    pub authority: String,
}

impl Hello {
    /// Reads one from its JSON.
    ///
    /// # Errors
    /// When it is not one JSON object of exactly this shape.
    pub fn parse(json: &[u8]) -> Result<Self, StatementError> {
        Ok(strict::json(json, MAX_HELLO)?)
    }

    /// The authority that this hub speaks for, from the pinned root fingerprint up.
    ///
    /// # Errors
    /// The first part that is not believed, and why.
    pub fn verify(
        &self,
        root_fingerprint: PeerId,
        org: &OrgName,
        now: UnixTime,
    ) -> Result<AuthorityStatement, StatementError> {
        let root = walk_roots(&self.roots, org, root_fingerprint)?;
        let authority = AuthorityStatement::verify_for(&self.authority, &root, org)?;
        authority.valid_at(now)?;
        Ok(authority)
    }
}

/// What anybody inside the channel may read, without an identity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub org: OrgName,
    pub roots: Vec<String>,
    pub root: VerifyKey,
    /// `tg-authority`.
    pub authority: String,
    /// `tg-idp`.
    pub idp: String,
}

/// Enrols an identity key with a one-time ticket.
pub type EnrolRequest = EnrolmentChain;

/// The device, or the outlet, as the authority calls it; the same again when the same key asks with the same ticket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnrolAnswer {
    pub device: String,
}

/// Asks for a credential: the person's ID tokens, the device's key, and the proof that the asker holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    pub identity: VerifyKey,
    /// The ID token whose nonce commits to `identity`.
    pub id_token_0: String,
    /// Opens the nonce.
    #[serde(with = "bytes")]
    pub rz: [u8; 32],
    /// A newer ID token of the same session, once the first has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_n: Option<String>,
    /// The key with which the agent will appear at relays.
    pub link_key: NoisePublic,
    /// Signature of `identity` over `auth::proof_input` of this channel's handshake hash.
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
}

/// A credential, admission to the relays, and the catalogue that this person may see.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialAnswer {
    /// `tg-cred`.
    pub credential: String,
    /// `tg-pass`.
    pub pass: String,
    pub services: Vec<CatalogueEntry>,
    /// `tg-beacon`.
    pub beacon: String,
    /// When the credential ends.
    pub expires: UnixTime,
    /// Those of the services that have to be asked for, as far as the org's rules say.
    #[serde(default)]
    pub askable: Vec<access::Askable>,
}

/// One service and the opaque name that relays know it by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// `tg-service`.
    pub jws: String,
    pub handle: ServiceHandle,
    /// Of a service that takes outlets by ticket: those that were enrolled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outlets: Vec<EnrolmentChain>,
}

/// An outlet asks for what it works by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutletRequest {
    /// As some `tg-service` names it.
    pub identity: VerifyKey,
    pub link_key: NoisePublic,
    /// As in [`CredentialRequest`].
    #[serde(with = "bytes")]
    pub proof: [u8; 64],
    /// Grants that were used here for the first time; at most [`access::GrantNews::MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<access::FirstUse>,
}

/// Everything an outlet works by; all of it root-signed but pass and beacon.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutletAnswer {
    /// `tg-pass`.
    pub pass: String,
    /// The services that this outlet serves.
    pub services: Vec<CatalogueEntry>,
    /// `tg-policy`, when the org has one; without one nothing is allowed.
    pub policy: Option<String>,
    /// `tg-idp`.
    pub idp: String,
    /// `tg-authority`.
    pub authority: String,
    /// `tg-beacon`.
    pub beacon: String,
    /// What others know about the grants of these services.
    #[serde(default)]
    pub grants: access::GrantNews,
}

/// What a relay of its own works by; all of it root-signed but beacon and the list of who was shut out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayAnswer {
    /// `tg-authority`.
    pub authority: String,
    /// `tg-idp`, for the one host that key tunnels lead to.
    pub idp: String,
    /// `tg-service`: the entries that name this relay.
    pub services: Vec<String>,
    /// The pseudonyms whose passes and chains admit no more.
    pub shut_out: Vec<String>,
    /// `tg-beacon`.
    pub beacon: String,
}

/// Hands in an order of the org root to shut somebody out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// `tg-revocation`.
    pub revocation: String,
}

/// The receipt: from this epoch on, nothing older of theirs is worth anything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RevokeAnswer {
    pub epoch: u64,
}

/// The body of every answer that is not a success.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiRefusal {
    /// A `problem::Code`.
    pub code: u16,
    pub text: String,
}

/// Byte arrays as unpadded base64url, in one spelling only.
pub(crate) mod bytes {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<const N: usize, S: Serializer>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| D::Error::custom("not base64url"))?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("not of the right length"))
    }
}

#[cfg(test)]
mod bytes_on_the_wire;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::identity::{NoiseSecret, SigningKey};

    fn request() -> CredentialRequest {
        CredentialRequest {
            identity: SigningKey::from_seed(&[1; 32]).verify_key(),
            id_token_0: "a.b.c".into(),
            rz: [2; 32],
            id_token_n: None,
            link_key: NoiseSecret::from_bytes(&[3; 32]).public(),
            proof: [4; 64],
        }
    }

    #[test]
    fn a_credential_request_survives_the_wire() {
        let json = serde_json::to_string(&request()).unwrap();

        assert!(serde_json::from_str::<CredentialRequest>(&json).unwrap() == request());
        assert!(!json.contains("id_token_n"));
    }

    #[test]
    fn rejects_unknown_fields_and_wrong_lengths() {
        let mut json = serde_json::to_value(request()).unwrap();
        json["admin"] = true.into();
        assert!(serde_json::from_value::<CredentialRequest>(json).is_err());

        for proof in ["", "AAAA", "BAQ=", &"A".repeat(87)] {
            let mut json = serde_json::to_value(request()).unwrap();
            json["proof"] = proof.into();
            assert!(
                serde_json::from_value::<CredentialRequest>(json).is_err(),
                "{proof}"
            );
        }
    }
}
