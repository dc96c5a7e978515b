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
pub(super) struct Pair(DecapsulationKey);

impl Pair {
    /// A fresh pair, drawn by aws-lc itself: its interface takes no entropy.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub(super) fn generate() -> Self {
        Self(DecapsulationKey::generate(&ML_KEM_768).expect("aws-lc draws an ml-kem key"))
    }

    pub(super) fn public(&self) -> Vec<u8> {
        let key = self
            .0
            .encapsulation_key()
            .and_then(|key| Ok(key.key_bytes()?.as_ref().to_vec()));
        key.expect("a generated key has a public half")
    }

    pub(super) fn open(&self, ciphertext: &[u8]) -> Result<SharedSecret, ChannelError> {
        self.0
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
