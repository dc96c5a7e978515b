//! How two devices of one person make sure that they mean the same key while the hub carries every word: six words on both screens.
//! A newcomer would send both nonces at once: whoever may choose one after seeing the other chooses the words (PROTOCOL section 9).

use crate::{
    identity::{VerifyKey, sha256},
    names::{OrgName, Subject},
};

/// How long one may take, in seconds.
pub const LIFE: u64 = 600;

/// Bits of a word.
const BITS: usize = 11;

/// What the new device binds itself to before it has seen anything of the other:
/// `SHA-256("tidegate/introduction/v1\0" ‖ lp(org) ‖ lp(sub) ‖ lp(new key) ‖ nonce)`, lp = 4-byte big-endian length, then the bytes.
#[must_use]
pub fn commitment(
    org: &OrgName,
    sub: &Subject,
    newcomer: &VerifyKey,
    nonce: &[u8; 32],
) -> [u8; 32] {
    let mut input = b"tidegate/introduction/v1\0".to_vec();
    for part in [
        org.as_str().as_bytes(),
        sub.as_str().as_bytes(),
        newcomer.as_bytes(),
    ] {
        put(&mut input, part);
    }
    input.extend_from_slice(nonce);
    sha256(&[&input])
}

/// Both devices once each has shown its nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduced {
    pub org: OrgName,
    pub sub: Subject,
    /// The key that is to be enrolled, and its nonce.
    pub newcomer: (VerifyKey, [u8; 32]),
    /// The enrolled device that is to vouch for it, and its nonce.
    pub sponsor: (VerifyKey, [u8; 32]),
}

impl Introduced {
    /// Whether the newcomer's nonce is the one it had bound itself to. Words of one that is not must never be shown.
    #[must_use]
    pub fn opens(&self, commitment: &[u8; 32]) -> bool {
        let (key, nonce) = &self.newcomer;
        self::commitment(&self.org, &self.sub, key, nonce) == *commitment
    }

    /// The words for both screens: the first 66 bits of
    /// `SHA-256("tidegate/introduction-words/v1\0" ‖ lp(org) ‖ lp(sub) ‖ lp(new key) ‖ new nonce ‖ lp(old key) ‖ old nonce)`.
    #[must_use]
    pub fn words(&self) -> [&'static str; 6] {
        let mut input = b"tidegate/introduction-words/v1\0".to_vec();
        put(&mut input, self.org.as_str().as_bytes());
        put(&mut input, self.sub.as_str().as_bytes());
        for (key, nonce) in [&self.newcomer, &self.sponsor] {
            put(&mut input, key.as_bytes());
            input.extend_from_slice(nonce);
        }
        let digest = sha256(&[&input]);
        let list = bip39::Language::English.word_list();
        std::array::from_fn(|place| list[number(&digest, place * BITS)])
    }
}

/// The `BITS` bits of `digest` from bit `from` on, most significant first.
fn number(digest: &[u8; 32], from: usize) -> usize {
    (from..from + BITS).fold(0, |number, bit| {
        let byte = digest[bit / 8];
        number << 1 | usize::from(byte >> (7 - bit % 8) & 1)
    })
}

fn put(input: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    input.extend_from_slice(&length.to_be_bytes());
    input.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::SigningKey;

    fn key(n: u8) -> VerifyKey {
        SigningKey::from_seed(&[n; 32]).verify_key()
    }

    fn introduced() -> Introduced {
        Introduced {
            org: "acme".parse().unwrap(),
            sub: "00uana".parse().unwrap(),
            newcomer: (key(1), [1; 32]),
            sponsor: (key(2), [2; 32]),
        }
    }

    #[test]
    fn both_sides_see_the_same_words_and_any_change_shows() {
        let words = introduced().words();
        let mut others = vec![introduced(); 6];
        others[0].org = "acmeb".parse().unwrap();
        others[1].sub = "00ubob".parse().unwrap();
        others[2].newcomer.0 = key(3);
        others[3].newcomer.1 = [3; 32];
        others[4].sponsor.0 = key(3);
        others[5].sponsor.1 = [3; 32];

        assert_eq!(words, introduced().words());
        for other in others {
            assert_ne!(words, other.words());
        }
    }

    #[test]
    fn a_nonce_that_was_chosen_later_does_not_open_the_commitment() {
        let introduced = introduced();
        let (key_1, nonce) = introduced.newcomer;
        let bound = commitment(&introduced.org, &introduced.sub, &key_1, &nonce);
        let mut chosen = introduced.clone();
        chosen.newcomer.1 = [9; 32];
        let mut swapped = introduced.clone();
        swapped.newcomer.0 = key(9);

        assert!(introduced.opens(&bound));
        assert!(!chosen.opens(&bound));
        assert!(!swapped.opens(&bound));
    }

    #[test]
    fn the_words_are_read_off_the_digest_bit_by_bit() {
        let mut digest = [0; 32];
        digest[0] = 0b1000_0000;
        digest[1] = 0b0010_0001;

        assert_eq!(number(&digest, 0), 0b100_0000_0001);
        assert_eq!(number(&digest, 5), 0b000_0010_0001);
    }
}
