//! Keys and their fingerprints: Ed25519 to sign who one is, X25519 to speak Noise.
//! A secret here has neither `Debug` nor `Clone`; a public key that was parsed is never a low-order point.

use crate::entropy::Entropy;
use aws_lc_rs::{
    agreement, digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// Why a key was refused.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is not 32 bytes of unpadded base64url")]
    Encoding,
    #[error("the key is a low-order or non-canonical point")]
    Weak,
}

/// A signature that is not the key's over the message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Defines text and JSON forms (unpadded base64url) for a newtype over 32 bytes with a `new`.
macro_rules! base64url_32 {
    ($name:ident) => {
        impl $name {
            /// The raw bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                let bytes = URL_SAFE_NO_PAD
                    .decode(text)
                    .map_err(|_| KeyError::Encoding)?;
                Self::new(bytes.try_into().map_err(|_| KeyError::Encoding)?)
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyError;

            fn try_from(text: String) -> Result<Self, KeyError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

/// An Ed25519 signing key (RFC 8032).
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key that `seed` stands for.
    ///
    /// # Panics
    /// Never: every 32-byte seed is an Ed25519 key.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are an ed25519 seed");
        Self {
            pair,
            seed: Zeroizing::new(*seed),
        }
    }

    /// The secret itself, for a keyring or an encrypted file.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// The public half.
    ///
    /// # Panics
    /// Never: an Ed25519 public key is 32 bytes.
    #[must_use]
    pub fn verify_key(&self) -> VerifyKey {
        VerifyKey(
            self.pair
                .public_key()
                .as_ref()
                .try_into()
                .expect("an ed25519 public key is 32 bytes"),
        )
    }

    /// Signs `message`.
    ///
    /// # Panics
    /// Never: an Ed25519 signature is 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair
            .sign(message)
            .as_ref()
            .try_into()
            .expect("an ed25519 signature is 64 bytes")
    }
}

/// An Ed25519 public key.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyKey([u8; 32]);
base64url_32!(VerifyKey);

impl VerifyKey {
    /// A key from its encoding (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// `Weak` for a point of small order: such a key accepts signatures that nobody made.
    pub fn new(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if small_order_ed25519(bytes) {
            Err(KeyError::Weak)
        } else {
            Ok(Self(bytes))
        }
    }

    /// Checks that this key signed `message`.
    ///
    /// # Errors
    /// `BadSignature` whatever is wrong with it.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }

    /// The fingerprint that stands for this key in statements.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId(sha256(&[b"tidegate/peer/v1\0", b"ed25519", &self.0]))
    }
}

/// Fingerprint of an identity key: what `cnf` and join links carry.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerId([u8; 32]);
base64url_32!(PeerId);

impl PeerId {
    /// A fingerprint from its bytes; any 32 bytes can be one.
    ///
    /// # Errors
    /// Never; the signature matches that of the keys.
    pub fn new(bytes: [u8; 32]) -> Result<Self, KeyError> {
        Ok(Self(bytes))
    }
}

/// An X25519 secret for Noise (RFC 7748).
pub struct NoiseSecret(Zeroizing<[u8; 32]>);

impl NoiseSecret {
    /// A fresh secret.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(bytes)
    }

    /// The secret stored in `bytes`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The secret itself, for a key file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The public half.
    ///
    /// # Panics
    /// Never: X25519 is defined for every 32-byte scalar.
    #[must_use]
    pub fn public(&self) -> NoisePublic {
        let key = agreement::PrivateKey::from_private_key(&agreement::X25519, &*self.0)
            .and_then(|key| key.compute_public_key().map_err(Into::into))
            .expect("every 32 bytes are an x25519 scalar");
        NoisePublic(
            key.as_ref()
                .try_into()
                .expect("an x25519 public key is 32 bytes"),
        )
    }
}

/// An X25519 public key that is not a low-order point.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoisePublic([u8; 32]);
base64url_32!(NoisePublic);

impl NoisePublic {
    /// A key from its encoding (RFC 7748, section 5).
    ///
    /// # Errors
    /// `Weak` for low-order points and for encodings that are not canonical, so that one key has one fingerprint.
    pub fn new(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if weak_x25519(&bytes) {
            Err(KeyError::Weak)
        } else {
            Ok(Self(bytes))
        }
    }

    /// What `tg-pass` binds to: SHA-256 over a label and the key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[b"tidegate/noise/v1\0", &self.0])
    }

    /// The same in the shape of an identity's fingerprint, for those who have no other key: relays. The label keeps it
    /// apart from every identity key's.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId(self.fingerprint())
    }
}

/// SHA-256 over the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("a sha-256 digest is 32 bytes")
}

/// The two points of order 8 on Curve25519 as u-coordinates; the others of small order are 0, 1 and p-1.
pub(crate) const X25519_ORDER_8: [[u8; 32]; 2] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

fn weak_x25519(bytes: &[u8; 32]) -> bool {
    let high_bit = bytes[31] & 0x80 != 0;
    high_bit || near_zero(bytes) || near_prime(bytes) || X25519_ORDER_8.contains(bytes)
}

/// The two y-coordinates of the points of order 8 on Ed25519; the others of small order are 0, 1 and p-1.
const ED25519_ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

fn small_order_ed25519(mut bytes: [u8; 32]) -> bool {
    bytes[31] &= 0x7f; // the sign of x says nothing about the order
    near_zero(&bytes) || near_prime(&bytes) || ED25519_ORDER_8.contains(&bytes)
}

/// 0 or 1, little-endian.
fn near_zero(bytes: &[u8; 32]) -> bool {
    bytes[0] <= 1 && bytes[1..].iter().all(|b| *b == 0)
}

/// p-1 or above, that is: of order 2, or not canonical (p = 2^255 - 19).
fn near_prime(bytes: &[u8; 32]) -> bool {
    bytes[0] >= 0xec && bytes[1..31].iter().all(|b| *b == 0xff) && bytes[31] == 0x7f
}

#[cfg(test)]
mod tests;
