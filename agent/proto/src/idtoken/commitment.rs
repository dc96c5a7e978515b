//! The nonce by which the provider, without knowing it, signs the agent's identity key (the OpenPubkey idea).
//! It is binary and length-prefixed: a hash over JSON would make verification depend on spelling.

use crate::{
    identity::{VerifyKey, sha256},
    names::OrgName,
    strict,
};

/// The name of the only algorithm an identity key has.
const ALGORITHM: &[u8] = b"EdDSA";

/// `b64url(SHA-256("tidegate/key-commitment/v1\0" ‖ rz ‖ lp(alg) ‖ lp(key) ‖ lp(org) ‖ lp(client id)))`,
/// lp = 4-byte big-endian length, then the bytes (PROTOCOL section 4).
#[must_use]
pub fn commitment(rz: &[u8; 32], key: &VerifyKey, org: &OrgName, client_id: &str) -> String {
    let mut input = b"tidegate/key-commitment/v1\0".to_vec();
    input.extend_from_slice(rz);
    for part in [
        ALGORITHM,
        key.as_bytes(),
        org.as_str().as_bytes(),
        client_id.as_bytes(),
    ] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(part);
    }
    strict::to_base64url(&sha256(&[&input]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::SigningKey;

    #[test]
    fn the_commitment_is_these_bytes_and_moves_with_every_part() {
        let key = SigningKey::from_seed(&[7; 32]).verify_key();
        let other = SigningKey::from_seed(&[8; 32]).verify_key();
        let org: OrgName = "acme".parse().unwrap();

        let nonce = commitment(&[9; 32], &key, &org, "client");

        // SHA-256 computed apart from this crate over the bytes that PROTOCOL section 4 lists.
        assert_eq!(nonce, "WiwpHSufbQ1m-_41PSOtNRMWQYAt8rCS4Jf-dwKCqPg");
        assert_ne!(nonce, commitment(&[8; 32], &key, &org, "client"));
        assert_ne!(nonce, commitment(&[9; 32], &other, &org, "client"));
        assert_ne!(
            nonce,
            commitment(&[9; 32], &key, &"acmec".parse().unwrap(), "lient")
        );
        assert_ne!(nonce, commitment(&[9; 32], &key, &org, "other"));
    }
}
