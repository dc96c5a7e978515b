//! What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 section 3; the form is `pg_authid.rolpassword`'s).
//! Who makes a role sends this in place of the password, which then stands in no log of the server.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::Keys;

/// As many as PostgreSQL takes itself.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");

/// `SCRAM-SHA-256$<rounds>:<salt>$<stored key>:<server key>`, for a password of ASCII letters and digits.
///
/// Whoever has it can find out a weak password, and can pass for the server; nobody can log in with it.
#[must_use]
pub fn scram_verifier(password: &str, salt: &[u8; 16]) -> String {
    let keys = Keys::of(password.as_bytes(), salt, ROUNDS);
    format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(keys.stored().as_ref()),
        STANDARD.encode(keys.server()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The password and salt of RFC 7677 section 3; the keys were worked out by another implementation (Python's `hashlib`).
    #[test]
    fn is_what_a_server_makes_of_the_same() {
        let salt = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";

        let verifier = scram_verifier("pencil", &salt);

        assert_eq!(
            verifier,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
