//! Verifying what the identity provider says about a person: the second of the three legs (PROTOCOL section 7, checks 5 and 6).
//! Only the first token of a session commits to the identity key, and after a device-code sign-in not even that one does.

mod claims;
mod commitment;
mod keys;

pub use claims::{MAX_GROUP_BYTES, MAX_GROUPS, PersonClaims};
pub use commitment::commitment;
pub use keys::{FormerKeys, KeySet, KeySetError, MAX_KEY_SET, MAX_KEYS, REFETCH_EVERY, Refetch};

use crate::{
    identity::VerifyKey,
    jws::{self, JwsError},
    names::Subject,
    statement::{Algorithm, Assurance, IdpStatement},
    strict::{self, StrictError},
    time::UnixTime,
};

/// Largest ID token, in bytes.
pub const MAX_ID_TOKEN: usize = 16 * 1024;
/// Longest life a provider may give one, in seconds.
pub const MAX_ID_TOKEN_LIFE: u64 = 86_400;

/// Why an ID token is not believed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    #[error("not three parts, or a critical header")]
    Form,
    #[error("{0}")]
    Strict(#[from] StrictError),
    #[error("an algorithm that the org does not allow for its provider")]
    Algorithm,
    #[error("a typ header other than jwt")]
    Type,
    #[error("signed with a key that is not known")]
    UnknownKey,
    #[error("the signature does not verify")]
    Signature,
    #[error("issued by another provider")]
    Issuer,
    #[error("meant for somebody else, or for several")]
    Audience,
    #[error("a claim is missing or has a value it may not have")]
    Claim,
    #[error("issued in the future")]
    Future,
    #[error("lives longer than any provider may say")]
    Life,
    #[error("expired, and no newer one shows that the account still lives")]
    Expired,
    #[error("the sign-in is older than a session may be")]
    SessionTooOld,
    #[error("the nonce does not open to the identity key")]
    Commitment,
    #[error("the newer token belongs to another sign-in")]
    OtherSession,
    #[error("the newer token has another nonce")]
    OtherNonce,
    #[error("the newer token is not newer")]
    NotNewer,
    #[error("more groups than are read")]
    TooManyGroups,
}

impl From<JwsError> for IdTokenError {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Strict(strict) => Self::Strict(strict),
            JwsError::Algorithm => Self::Algorithm,
            JwsError::Type => Self::Type,
            JwsError::Key => Self::UnknownKey,
            JwsError::Signature => Self::Signature,
            JwsError::Parts | JwsError::Critical => Self::Form,
        }
    }
}

/// What is known about a person after checks 5 and 6.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub sub: Subject,
    /// When the person last typed a password or the like.
    pub auth_time: UnixTime,
    /// When the newest token ends.
    pub expires: UnixTime,
    /// `High` when the first token commits to the identity key, `Low` when it has no nonce at all.
    pub assurance: Assurance,
    /// From the newest token, as everything the provider owns.
    pub claims: PersonClaims,
}

/// Verifies one ID token at `now`, except for its expiry and its nonce, which depend on what it is used for.
///
/// # Errors
/// The first check that does not hold. `UnknownKey` may be cured by fetching the provider's keys again, see `Refetch`.
pub fn verify_id_token(
    token: &str,
    idp: &IdpStatement,
    keys: &KeySet,
    now: UnixTime,
) -> Result<PersonClaims, IdTokenError> {
    let parts = jws::split(token, MAX_ID_TOKEN)?;
    let header = jws::Header::read(parts.header, MAX_ID_TOKEN)?;
    let named = |algorithm: &&Algorithm| algorithm.as_str() == header.alg;
    let algorithm = *idp
        .algorithms
        .iter()
        .find(named)
        .ok_or(IdTokenError::Algorithm)?;
    if header
        .typ
        .is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"))
    {
        return Err(IdTokenError::Type);
    }
    // Refuses a second spelling of the same signature before it is looked at.
    strict::base64url(parts.signature)?;
    keys.verify(
        header.kid.as_deref(),
        algorithm,
        parts.signed,
        parts.signature,
    )?;
    claims::read(&strict::base64url(parts.payload)?, idp, now)
}

/// Verifies the first token of a session and, if there is one, a newer one (PROTOCOL sections 4 and 7).
/// A first token without a nonce is believed too: whoever asks must look at `Person::assurance`.
///
/// # Errors
/// The first check that does not hold.
#[allow(clippy::too_many_arguments)] // each is a different party's word; a struct would only rename them
pub fn verify_pair(
    first: &str,
    newer: Option<&str>,
    rz: &[u8; 32],
    key: &VerifyKey,
    idp: &IdpStatement,
    keys: &KeySet,
    now: UnixTime,
) -> Result<Person, IdTokenError> {
    let first = verify_id_token(first, idp, keys, now)?;
    let assurance = assurance(&first, &commitment(rz, key, &idp.org, &idp.client_id))?;
    if first.auth_time.plus(idp.max_session) <= now {
        return Err(IdTokenError::SessionTooOld);
    }
    let newer = newer
        .map(|token| verify_id_token(token, idp, keys, now))
        .transpose()?;
    let newest = match newer {
        Some(newer) => same_session(&first, newer)?,
        None => first,
    };
    if newest.expires.has_ended(now) {
        return Err(IdTokenError::Expired);
    }
    Ok(Person {
        sub: newest.sub.clone(),
        auth_time: newest.auth_time,
        expires: newest.expires,
        assurance,
        claims: newest,
    })
}

/// What the first token's nonce says. No nonce (device-code sign-in) binds to nothing; a wrong one belongs to somebody else.
fn assurance(first: &PersonClaims, commitment: &str) -> Result<Assurance, IdTokenError> {
    match first.nonce.as_deref() {
        Some(nonce) if nonce == commitment => Ok(Assurance::High),
        Some(_) => Err(IdTokenError::Commitment),
        None => Ok(Assurance::Low),
    }
}

/// The rules for a refreshed token: same person, same sign-in, nonce absent or equal, and not older.
fn same_session(first: &PersonClaims, newer: PersonClaims) -> Result<PersonClaims, IdTokenError> {
    if newer.sub != first.sub || newer.auth_time != first.auth_time {
        return Err(IdTokenError::OtherSession);
    }
    if newer.nonce.is_some() && newer.nonce != first.nonce {
        return Err(IdTokenError::OtherNonce);
    }
    if newer.issued < first.issued {
        return Err(IdTokenError::NotNewer);
    }
    Ok(newer)
}

#[cfg(test)]
mod tests;
