//! The provider's public keys (RFC 7517), read within bounds. A `kid` is only ever compared; it is never a name of anything.
//! A key that could be forged with (short RSA, tiny exponent) or that is for something else is left out; one `kid` twice spoils the set.

use super::IdTokenError;
use crate::{
    grant::Grants,
    statement::Algorithm,
    strict::{self, StrictError},
    time::UnixTime,
};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Largest key set, in bytes.
pub const MAX_KEY_SET: usize = 256 * 1024;
/// Most keys in a set.
pub const MAX_KEYS: usize = 64;
/// An unknown `kid` leads to one fetch in so many seconds, however many tokens name it.
pub const REFETCH_EVERY: u64 = 300;

/// Why a key set is not used.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("{0}")]
    Strict(#[from] StrictError),
    #[error("more keys than are read")]
    TooMany,
    #[error("two keys have the same kid")]
    SameKid,
    #[error("no key in the set can be used")]
    Empty,
}

/// The keys that may sign ID tokens.
#[derive(Clone)]
pub struct KeySet {
    keys: BTreeMap<String, Key>,
}

/// Keys that the provider used before. What somebody approved with a token of that time outlives them.
#[derive(Clone)]
pub struct FormerKeys {
    pub keys: KeySet,
    /// When it was noticed that the provider had others.
    pub until: UnixTime,
}

impl FormerKeys {
    /// So long after that no approval rests on them any more, in seconds.
    pub const KEPT: u64 = Grants::KEPT;
}

#[derive(Clone)]
struct Key {
    kind: Kind,
    /// Fixed by the set, if it says so.
    algorithm: Option<String>,
    key: DecodingKey,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

/// What is read of a JWK; `x5u` and the like are not.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK set and keeps the keys that `allowed` algorithms can use.
    ///
    /// # Errors
    /// When the set is not well formed, too large, ambiguous, or has no key that can be used.
    pub fn parse(json: &[u8], allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        let set: Jwks = strict::json(json, MAX_KEY_SET)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys = BTreeMap::new();
        for (kid, key) in set.keys.iter().filter_map(|jwk| Key::usable(jwk, allowed)) {
            if keys.insert(kid, key).is_some() {
                return Err(KeySetError::SameKid);
            }
        }
        if keys.is_empty() {
            Err(KeySetError::Empty)
        } else {
            Ok(Self { keys })
        }
    }

    /// The ids of the keys, for the audit record of a change.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Verifies `signature` (base64url) over `signed` by the key named `kid`.
    pub(super) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        signed: &str,
        signature: &str,
    ) -> Result<(), IdTokenError> {
        let key = kid
            .and_then(|kid| self.keys.get(kid))
            .ok_or(IdTokenError::UnknownKey)?;
        if !key.serves(algorithm) {
            return Err(IdTokenError::Algorithm);
        }
        match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.key, name(algorithm))
        {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(IdTokenError::Signature),
        }
    }
}

impl Key {
    fn usable(jwk: &Jwk, allowed: &[Algorithm]) -> Option<(String, Self)> {
        let kid = jwk
            .kid
            .clone()
            .filter(|kid| !kid.is_empty() && kid.len() <= 256)?;
        if jwk.purpose.as_ref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (kind, key) = match jwk.kty.as_str() {
            "RSA" => (Kind::Rsa, rsa(jwk)?),
            "EC" => (Kind::P256, p256(jwk)?),
            _ => return None,
        };
        let key = Self {
            kind,
            algorithm: jwk.alg.clone(),
            key,
        };
        allowed
            .iter()
            .any(|algorithm| key.serves(*algorithm))
            .then_some((kid, key))
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => Kind::Rsa,
            Algorithm::ES256 => Kind::P256,
        };
        self.kind == kind
            && self
                .algorithm
                .as_ref()
                .is_none_or(|own| own == algorithm.as_str())
    }
}

/// RSA of 2048 to 8192 bits with the exponent 65537.
fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let n = strict::base64url(jwk.n.as_ref()?).ok()?;
    let e = strict::base64url(jwk.e.as_ref()?).ok()?;
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    let n = &n[zeros..];
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let strong = (2048..=8192).contains(&bits) && e == [1, 0, 1];
    strong.then(|| DecodingKey::from_rsa_raw_components(n, &e))
}

/// A point on P-256; whether it is on the curve is checked when it is used.
fn p256(jwk: &Jwk) -> Option<DecodingKey> {
    let (x, y) = (jwk.x.as_ref()?, jwk.y.as_ref()?);
    let whole = |part: &String| strict::base64url(part).is_ok_and(|bytes| bytes.len() == 32);
    let shaped = jwk.crv.as_deref() == Some("P-256") && whole(x) && whole(y);
    shaped
        .then(|| DecodingKey::from_ec_components(x, y).ok())
        .flatten()
}

fn name(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
    }
}

/// Decides when an unknown key may lead to fetching the set again: once in [`REFETCH_EVERY`] seconds for the whole process.
#[derive(Debug, Default)]
pub struct Refetch {
    last: Option<UnixTime>,
}

impl Refetch {
    /// Whether to fetch now; counts as fetched if so. A clock that went back does not open the gate.
    pub fn allow(&mut self, now: UnixTime) -> bool {
        let due = self
            .last
            .is_none_or(|last| last.until(now) >= REFETCH_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}
