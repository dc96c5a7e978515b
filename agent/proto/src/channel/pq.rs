//! The post-quantum half of the handshake: an ML-KEM-768 secret (FIPS 203) that becomes the Noise psk.
//! A changed ciphertext decapsulates to another secret instead of failing; the psk then makes message 3 fail.

use super::{ChannelError, HandshakeHash};
use aws_lc_rs::{
    hmac,
    kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768, SharedSecret},
};
use zeroize::Zeroizing;

/// Bytes of an encapsulation key, the payload of message 1.
pub(super) const KEY: usize = 1184;
/// Bytes of a ciphertext, the payload of message 2.
pub(super) const CIPHERTEXT: usize = 1088;

/// The initiator's one-time key pair.
pub(super) struct Pair {
    secret: DecapsulationKey,
    public: Vec<u8>,
}

impl Pair {
    /// A fresh pair, drawn by aws-lc itself: its interface takes no entropy.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub(super) fn generate() -> Self {
        let secret = DecapsulationKey::generate(&ML_KEM_768).expect("aws-lc draws an ml-kem key");
        let public = secret.encapsulation_key().and_then(|key| key.key_bytes());
        let public = public
            .expect("a generated key has a public half")
            .as_ref()
            .to_vec();
        Self { secret, public }
    }

    /// The pair in a decapsulation key (FIPS 203, section 7.1), to make a transcript again.
    #[cfg(test)]
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let secret = DecapsulationKey::new(&ML_KEM_768, bytes).expect("a decapsulation key");
        Self {
            secret,
            public: bytes[1152..1152 + KEY].to_vec(),
        }
    }

    /// The pair as a decapsulation key.
    #[cfg(test)]
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.secret
            .key_bytes()
            .expect("a generated key has bytes")
            .as_ref()
            .to_vec()
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn open(&self, ciphertext: &[u8]) -> Result<SharedSecret, ChannelError> {
        self.secret
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_| ChannelError::Rejected)
    }
}

/// Draws a secret for the holder of `key`: the ciphertext to send, and the secret.
pub(super) fn encapsulate(key: &[u8]) -> Result<(Vec<u8>, SharedSecret), ChannelError> {
    let key = EncapsulationKey::new(&ML_KEM_768, key).map_err(|_| ChannelError::WeakKey)?;
    let (ciphertext, secret) = key.encapsulate().map_err(|_| ChannelError::WeakKey)?;
    Ok((ciphertext.as_ref().to_vec(), secret))
}

/// `HMAC-SHA256(h after message 2, "tidegate/pq-psk/v1" ‖ shared secret)`.
pub(super) fn psk(after_message_2: &HandshakeHash, secret: &SharedSecret) -> Zeroizing<[u8; 32]> {
    let mut context =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &after_message_2.0));
    context.update(b"tidegate/pq-psk/v1");
    context.update(secret.as_ref());
    Zeroizing::new(
        context
            .sign()
            .as_ref()
            .try_into()
            .expect("an hmac-sha256 tag is 32 bytes"),
    )
}
