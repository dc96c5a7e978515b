//! What a password comes to in SCRAM (RFC 5802 section 3), kept for the next login, as section 5.1 allows: 4096 rounds are
//! half a millisecond. A newcomer would keep them by name: they belong to one password, salt and number of rounds, and to no other.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{Digest, SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::{hmac, pbkdf2};
use zeroize::Zeroizing;

type Key = Zeroizing<[u8; SHA256_OUTPUT_LEN]>;

/// Who has these can log in as who has the password, until it changes. No `Debug`, no `Clone`; wiped when dropped.
pub(crate) struct Keys {
    client: Key,
    server: Key,
    of: Of,
}

/// What the keys were made of. The password is in it only by a keyed hash.
#[derive(PartialEq, Eq)]
struct Of {
    password: [u8; SHA256_OUTPUT_LEN],
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

/// The keys of the last login of one service; never of two.
pub struct KeptKeys {
    seed: hmac::Key,
    last: Mutex<Option<Arc<Keys>>>,
}

impl KeptKeys {
    /// `seed`: random bytes of this process, so that what names a password here names it nowhere else.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self {
            seed: hmac::Key::new(hmac::HMAC_SHA256, seed),
            last: Mutex::default(),
        }
    }

    /// The keys, from the last login if it had the very same to make them of; if it had not, its keys are forgotten at once.
    pub(crate) fn keys(&self, password: &[u8], salt: &[u8], rounds: NonZeroU32) -> Arc<Keys> {
        let of = Of {
            password: output(&hmac::sign(&self.seed, password)),
            salt: salt.to_vec(),
            rounds,
        };
        let mut last = self.last();
        last.take_if(|keys| keys.of != of);
        if let Some(keys) = &*last {
            return Arc::clone(keys);
        }
        // Others are not kept waiting for the rounds.
        drop(last);
        Arc::new(Keys::derive(password, of))
    }

    /// To be called when the server has proven that it knows them too: nobody else's salt puts them out of here.
    pub(crate) fn keep(&self, keys: Arc<Keys>) {
        *self.last() = Some(keys);
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<Keys>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn derive(password: &[u8], of: Of) -> Self {
        let mut salted: Key = Zeroizing::new([0; SHA256_OUTPUT_LEN]);
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, of.rounds, &of.salt, password, &mut *salted);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
        let key = |name: &[u8]| Zeroizing::new(output(&hmac::sign(&salted, name)));
        Self {
            client: key(b"Client Key"),
            server: key(b"Server Key"),
            of,
        }
    }

    /// The same, for nobody to keep.
    pub(crate) fn of(password: &[u8], salt: &[u8], rounds: NonZeroU32) -> Self {
        let of = Of {
            password: [0; SHA256_OUTPUT_LEN],
            salt: salt.to_vec(),
            rounds,
        };
        Self::derive(password, of)
    }

    /// `StoredKey`: who has it can tell who has the client's.
    pub(crate) fn stored(&self) -> Digest {
        digest(&SHA256, &*self.client)
    }

    pub(crate) fn server(&self) -> &[u8] {
        &*self.server
    }

    /// `ClientProof` for a conversation.
    pub(crate) fn proof(&self, conversation: &str) -> Vec<u8> {
        let stored_key = hmac::Key::new(hmac::HMAC_SHA256, self.stored().as_ref());
        let signature = hmac::sign(&stored_key, conversation.as_bytes());
        let pairs = self.client.iter().zip(signature.as_ref());
        pairs.map(|(key, signed)| key ^ signed).collect()
    }

    /// Whether `verifier` is the server's signature under this conversation.
    pub(crate) fn verifies(&self, conversation: &str, verifier: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.server);
        hmac::verify(&key, conversation.as_bytes(), verifier).is_ok()
    }
}

fn output(tag: &hmac::Tag) -> [u8; SHA256_OUTPUT_LEN] {
    let mut out = [0; SHA256_OUTPUT_LEN];
    out.copy_from_slice(tag.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: NonZeroU32 = NonZeroU32::MIN;

    fn kept() -> KeptKeys {
        let kept = KeptKeys::new(&[1; 32]);
        kept.keep(kept.keys(b"pencil", b"salt", ROUNDS));
        kept
    }

    #[test]
    fn the_same_password_salt_and_rounds_are_not_worked_out_twice() {
        let kept = kept();

        let (one, other) = (
            kept.keys(b"pencil", b"salt", ROUNDS),
            kept.keys(b"pencil", b"salt", ROUNDS),
        );

        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn keys_are_forgotten_when_password_salt_or_rounds_are_others() {
        let more = ROUNDS.saturating_add(1);
        for (password, salt, rounds) in [
            (&b"brush"[..], &b"salt"[..], ROUNDS),
            (b"pencil", b"pepper", ROUNDS),
            (b"pencil", b"salt", more),
            (b"pencils", b"alt", ROUNDS),
        ] {
            let kept = kept();
            let before = Arc::downgrade(&kept.keys(b"pencil", b"salt", ROUNDS));

            let other = kept.keys(password, salt, rounds);

            assert!(before.upgrade().is_none(), "they are gone from memory");
            assert!(
                kept.last().is_none(),
                "and the new ones prove themselves first"
            );
            let own = Keys::of(password, salt, rounds);
            assert_eq!(other.client, own.client);
            assert_eq!(other.server, own.server);
        }
    }
}
