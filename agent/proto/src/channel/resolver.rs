//! The primitives that Noise asks for, all from aws-lc.
//! Randomness is the exception: the one ephemeral key of a handshake is drawn beforehand from the caller's entropy.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, PrivateKey, UnparsedPublicKey, X25519},
    digest,
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

use super::{Suite, record::TAG};

/// Resolves X25519, AES-256-GCM, ChaCha20-Poly1305 and SHA-256; nothing else exists for us.
pub(super) struct AwsLc {
    pub(super) ephemeral: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for AwsLc {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519)
            .then(|| Box::new(X25519Key::default()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Sha256::default()) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        let suite = match choice {
            CipherChoice::AESGCM => Suite::Aes256Gcm,
            CipherChoice::ChaChaPoly => Suite::ChaCha20Poly1305,
        };
        Some(Box::new(Aead { suite, key: None }))
    }
}

/// Gives its 32 bytes once: XX needs one ephemeral key a side, and asking twice would be a mistake of ours.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().ok_or(Error::Rng)?;
        if dest.len() != bytes.len() {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(&*bytes);
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct X25519Key {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl X25519Key {
    fn private(&self) -> Result<PrivateKey, Error> {
        PrivateKey::from_private_key(&X25519, &*self.secret).map_err(|_| Error::Dh)
    }
}

impl Dh for X25519Key {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        let public = self
            .private()
            .and_then(|key| key.compute_public_key().map_err(|_| Error::Dh));
        self.public.copy_from_slice(
            public
                .expect("every 32 bytes are an x25519 scalar")
                .as_ref(),
        );
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *secret)?;
        self.set(&*secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.secret
    }

    /// Fails for low-order points: Noise allows them, aws-lc does not (RFC 7748, section 6.1).
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let peer = UnparsedPublicKey::new(&X25519, public.get(..32).ok_or(Error::Dh)?);
        agreement::agree(&self.private()?, peer, Error::Dh, |shared| {
            out[..32].copy_from_slice(shared);
            Ok(())
        })
    }
}

struct Aead {
    suite: Suite,
    key: Option<LessSafeKey>,
}

/// The AEAD key of a suite.
///
/// # Panics
/// Never: both suites take 32-byte keys.
pub(super) fn aead_key(suite: Suite, key: &[u8; 32]) -> LessSafeKey {
    let algorithm = match suite {
        Suite::Aes256Gcm => &AES_256_GCM,
        Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
    };
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("both ciphers take 32-byte keys"))
}

/// Noise section 12.3 and 12.4: four zero bytes, then the counter, little-endian for ChaChaPoly, big-endian for AESGCM.
pub(super) fn nonce(suite: Suite, counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&match suite {
        Suite::Aes256Gcm => counter.to_be_bytes(),
        Suite::ChaCha20Poly1305 => counter.to_le_bytes(),
    });
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher for Aead {
    fn name(&self) -> &'static str {
        match self.suite {
            Suite::Aes256Gcm => "AESGCM",
            Suite::ChaCha20Poly1305 => "ChaChaPoly",
        }
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = Some(aead_key(self.suite, key));
    }

    fn encrypt(&self, counter: u64, ad: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let key = self
            .key
            .as_ref()
            .expect("snow sets the key before it encrypts");
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = key
            .seal_in_place_separate_tag(nonce(self.suite, counter), Aad::from(ad), text)
            .expect("a noise message is shorter than any limit of the cipher");
        rest[..TAG].copy_from_slice(tag.as_ref());
        plaintext.len() + TAG
    }

    fn decrypt(
        &self,
        counter: u64,
        ad: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let key = self.key.as_ref().ok_or(Error::Decrypt)?;
        let length = ciphertext.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let (text, tag) = ciphertext.split_at(length);
        let out = out.get_mut(..length).ok_or(Error::Decrypt)?;
        key.open_separate_gather(nonce(self.suite, counter), Aad::from(ad), text, tag, out)
            .map_err(|_| Error::Decrypt)?;
        Ok(length)
    }
}

struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let context = std::mem::replace(&mut self.0, digest::Context::new(&digest::SHA256));
        out[..32].copy_from_slice(context.finish().as_ref());
    }
}
