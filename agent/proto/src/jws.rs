//! JWS in compact form with Ed25519, as every signed statement uses it (RFC 7515, RFC 8037, PROTOCOL section 2).
//! The verifier fixes algorithm, key and `typ`; a header can only agree with it or be refused, never choose.

use crate::{
    identity::{SigningKey, VerifyKey},
    strict::{self, StrictError},
};
use serde::{Deserialize, de::DeserializeOwned};

/// Largest statement, in bytes of its compact form.
pub const MAX_STATEMENT: usize = 24 * 1024;

/// Why a JWS was refused before its content was looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("not three parts")]
    Parts,
    #[error("{0}")]
    Strict(#[from] StrictError),
    #[error("another algorithm than eddsa")]
    Algorithm,
    #[error("another type of statement")]
    Type,
    #[error("signed by another key than the expected one")]
    Key,
    #[error("a critical header is not understood")]
    Critical,
    #[error("the signature does not verify")]
    Signature,
}

/// The three parts of a compact JWS, still encoded.
pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What the signature is over: header, dot, payload.
    pub(crate) signed: &'a str,
}

/// What is read of a header. Anything else in it (`jku`, `jwk`, `x5u`, `x5c` …) is not even parsed.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

impl Header {
    /// Reads a header; refuses one that demands to be understood (`crit`, RFC 7515 section 4.1.11).
    pub(crate) fn read(encoded: &str, most: usize) -> Result<Self, JwsError> {
        let header: Self = strict::json(&strict::base64url(encoded)?, most)?;
        if header.crit.is_some() {
            Err(JwsError::Critical)
        } else {
            Ok(header)
        }
    }
}

/// Splits a compact JWS of at most `most` bytes.
pub(crate) fn split(jws: &str, most: usize) -> Result<Parts<'_>, JwsError> {
    if jws.len() > most {
        return Err(StrictError::Size.into());
    }
    let (signed, signature) = jws.rsplit_once('.').ok_or(JwsError::Parts)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Parts)?;
    if payload.contains('.') {
        return Err(JwsError::Parts);
    }
    Ok(Parts {
        header,
        payload,
        signature,
        signed,
    })
}

/// Signs `payload` as a statement of type `typ`; `kid` is the fingerprint of the key.
pub(crate) fn sign(typ: &str, payload: &[u8], key: &SigningKey) -> String {
    let kid = key.verify_key().peer_id();
    let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{typ}"}}"#);
    let signed = format!(
        "{}.{}",
        strict::to_base64url(header.as_bytes()),
        strict::to_base64url(payload)
    );
    let signature = strict::to_base64url(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Reads the payload of a statement without asking whether anybody signed it.
pub(crate) fn unproved<T: DeserializeOwned>(jws: &str) -> Result<T, JwsError> {
    let parts = split(jws, MAX_STATEMENT)?;
    Ok(strict::json(
        &strict::base64url(parts.payload)?,
        MAX_STATEMENT,
    )?)
}

/// Verifies a statement of type `typ` signed by `key`, and reads its payload.
pub(crate) fn verify<T: DeserializeOwned>(
    jws: &str,
    typ: &str,
    key: &VerifyKey,
) -> Result<T, JwsError> {
    let parts = split(jws, MAX_STATEMENT)?;
    let header = Header::read(parts.header, MAX_STATEMENT)?;
    if header.alg != "EdDSA" {
        return Err(JwsError::Algorithm);
    }
    if header.typ.as_deref() != Some(typ) {
        return Err(JwsError::Type);
    }
    if header.kid != Some(key.peer_id().to_string()) {
        return Err(JwsError::Key);
    }
    let signature = strict::base64url(parts.signature)?;
    key.verify(parts.signed.as_bytes(), &signature)
        .map_err(|_| JwsError::Signature)?;
    Ok(strict::json(
        &strict::base64url(parts.payload)?,
        MAX_STATEMENT,
    )?)
}
