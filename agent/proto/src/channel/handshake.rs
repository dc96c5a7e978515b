//! `XXpsk3` from both sides, each step a consuming call: a handshake can be neither repeated nor resumed.
//! The initiator compares the responder's key before message 3 exists, so a stranger never learns who dialled.

use super::{
    Channel, ChannelError, HandshakeHash, Opener, Prologue, Sealer, Suite, pq, resolver::AwsLc,
};
use crate::{
    entropy::Entropy,
    identity::{NoisePublic, NoiseSecret},
};
use aws_lc_rs::kem::SharedSecret;
use snow::{Builder, HandshakeState};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::record::TAG;

/// Bytes of message 1: `e`, payload ML-KEM encapsulation key.
pub const MESSAGE_1: usize = 32 + pq::KEY + TAG;
/// Bytes of message 2: `e, ee, s, es`, payload ML-KEM ciphertext.
pub const MESSAGE_2: usize = 32 + 32 + TAG + pq::CIPHERTEXT + TAG;
/// Bytes of message 3: `s, se, psk`, no payload.
pub const MESSAGE_3: usize = 32 + TAG + TAG;

/// The responder's keys from a signed statement: whoever answers must hold one of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pinned(Vec<NoisePublic>);

impl From<NoisePublic> for Pinned {
    fn from(key: NoisePublic) -> Self {
        Self(vec![key])
    }
}

impl FromIterator<NoisePublic> for Pinned {
    fn from_iter<I: IntoIterator<Item = NoisePublic>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl Pinned {
    /// In the same time whichever it is, or none.
    fn has(&self, key: &NoisePublic) -> bool {
        let same = |pinned: &NoisePublic| pinned.as_bytes().ct_eq(key.as_bytes());
        let one = self.0.iter().map(same);
        one.fold(Choice::from(0), |one, other| one | other).into()
    }
}

/// The dialling side after message 1.
pub struct Initiator {
    noise: Box<HandshakeState>,
    suite: Suite,
    local: NoisePublic,
    expected: Pinned,
    kem: pq::Pair,
}

impl Initiator {
    /// `-> e`: returns message 1.
    ///
    /// # Errors
    /// `OwnKey` when one of the `expected` keys is our own.
    pub fn start(
        prologue: &Prologue,
        local: &NoiseSecret,
        expected: impl Into<Pinned>,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Vec<u8>), ChannelError> {
        let expected = expected.into();
        Self::start_with(prologue, local, expected, entropy, pq::Pair::generate())
    }

    pub(super) fn start_with(
        prologue: &Prologue,
        secret: &NoiseSecret,
        expected: impl Into<Pinned>,
        entropy: &dyn Entropy,
        kem: pq::Pair,
    ) -> Result<(Self, Vec<u8>), ChannelError> {
        let (local, expected) = (secret.public(), expected.into());
        if expected.has(&local) {
            return Err(ChannelError::OwnKey);
        }
        let mut noise = Box::new(builder(prologue, secret, entropy, |noise| {
            noise.build_initiator()
        })?);
        let message_1 = write(&mut noise, kem.public(), MESSAGE_1)?;
        Ok((
            Self {
                noise,
                suite: prologue.suite,
                local,
                expected,
                kem,
            },
            message_1,
        ))
    }

    /// `<- e, ee, s, es` and `-> s, se, psk`: returns message 3 and the channel.
    ///
    /// # Errors
    /// Any; the handshake is over either way.
    pub fn finish(mut self, message_2: &[u8]) -> Result<(Vec<u8>, Channel), ChannelError> {
        let ciphertext = read(&mut self.noise, message_2, MESSAGE_2)?;
        let peer = peer(&self.noise, self.local)?;
        if !self.expected.has(&peer) {
            return Err(ChannelError::UnexpectedPeer);
        }

        let secret = self.kem.open(&ciphertext)?;
        set_psk(&mut self.noise, &secret)?;
        let message_3 = write(&mut self.noise, &[], MESSAGE_3)?;
        Ok((message_3, split(*self.noise, self.suite, peer)))
    }
}

/// The answering side after message 2.
pub struct Responder {
    noise: Box<HandshakeState>,
    suite: Suite,
    local: NoisePublic,
}

impl Responder {
    /// `-> e` and `<- e, ee, s, es`: returns message 2.
    ///
    /// # Errors
    /// Any; the handshake is over either way. Another prologue shows here: psk patterns encrypt message 1's payload
    /// under a key that everybody knows, with the prologue as associated data (Noise section 9).
    pub fn accept(
        prologue: &Prologue,
        secret: &NoiseSecret,
        message_1: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<(Self, Vec<u8>), ChannelError> {
        Self::accept_with(prologue, secret, message_1, entropy, pq::encapsulate)
    }

    pub(super) fn accept_with(
        prologue: &Prologue,
        secret: &NoiseSecret,
        message_1: &[u8],
        entropy: &dyn Entropy,
        encapsulate: impl FnOnce(&[u8]) -> Result<(Vec<u8>, SharedSecret), ChannelError>,
    ) -> Result<(Self, Vec<u8>), ChannelError> {
        let mut noise = Box::new(builder(prologue, secret, entropy, |noise| {
            noise.build_responder()
        })?);
        let key = read(&mut noise, message_1, MESSAGE_1)?;
        let (ciphertext, shared) = encapsulate(&key)?;
        let message_2 = write(&mut noise, &ciphertext, MESSAGE_2)?;
        set_psk(&mut noise, &shared)?;
        Ok((
            Self {
                noise,
                suite: prologue.suite,
                local: secret.public(),
            },
            message_2,
        ))
    }

    /// `-> s, se, psk`: the channel. Its `peer` has proven its key and nothing else.
    ///
    /// # Errors
    /// Any; the handshake is over either way.
    pub fn finish(mut self, message_3: &[u8]) -> Result<Channel, ChannelError> {
        read(&mut self.noise, message_3, MESSAGE_3)?;
        let peer = peer(&self.noise, self.local)?;
        Ok(split(*self.noise, self.suite, peer))
    }
}

fn builder(
    prologue: &Prologue,
    secret: &NoiseSecret,
    entropy: &dyn Entropy,
    build: fn(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Result<HandshakeState, ChannelError> {
    let mut ephemeral = Zeroizing::new([0; 32]);
    entropy.fill(&mut *ephemeral);
    let params = prologue
        .suite
        .noise_name()
        .parse()
        .expect("our own protocol names parse");
    let (prologue, secret) = (prologue.encode(), secret.to_bytes());
    Builder::with_resolver(params, Box::new(AwsLc { ephemeral }))
        .prologue(&prologue)
        .and_then(|builder| builder.local_private_key(&*secret))
        .and_then(build)
        .map_err(|_| ChannelError::Rejected)
}

fn write(noise: &mut HandshakeState, payload: &[u8], size: usize) -> Result<Vec<u8>, ChannelError> {
    let mut message = vec![0; size];
    let written = noise
        .write_message(payload, &mut message)
        .map_err(weak_or_rejected)?;
    if written == size {
        Ok(message)
    } else {
        Err(ChannelError::Size)
    }
}

fn read(noise: &mut HandshakeState, message: &[u8], size: usize) -> Result<Vec<u8>, ChannelError> {
    if message.len() != size {
        return Err(ChannelError::Size);
    }
    // Snow reports too small a buffer as a forgery: always offer the largest payload.
    let mut payload = vec![0; size];
    let length = noise
        .read_message(message, &mut payload)
        .map_err(weak_or_rejected)?;
    payload.truncate(length);
    Ok(payload)
}

fn weak_or_rejected(error: snow::Error) -> ChannelError {
    match error {
        snow::Error::Dh => ChannelError::WeakKey,
        _ => ChannelError::Rejected,
    }
}

fn peer(noise: &HandshakeState, local: NoisePublic) -> Result<NoisePublic, ChannelError> {
    let bytes = noise
        .get_remote_static()
        .and_then(|key| key.try_into().ok())
        .ok_or(ChannelError::Rejected)?;
    let peer = NoisePublic::new(bytes).map_err(|_| ChannelError::WeakKey)?;
    if peer == local {
        Err(ChannelError::OwnKey)
    } else {
        Ok(peer)
    }
}

pub(super) fn hash(noise: &HandshakeState) -> HandshakeHash {
    HandshakeHash(
        noise
            .get_handshake_hash()
            .try_into()
            .expect("a sha-256 digest is 32 bytes"),
    )
}

fn set_psk(noise: &mut HandshakeState, secret: &SharedSecret) -> Result<(), ChannelError> {
    let psk = pq::psk(&hash(noise), secret);
    noise.set_psk(3, &*psk).map_err(|_| ChannelError::Rejected)
}

/// Noise section 5.2, Split(): snow's own transport can neither be halved between two tasks nor seal in place.
pub(super) fn split(mut noise: HandshakeState, suite: Suite, peer: NoisePublic) -> Channel {
    let hash = hash(&noise);
    let (mut to_responder, mut to_initiator) = noise.dangerously_get_raw_split();
    let (ours, theirs) = if noise.is_initiator() {
        (&to_responder, &to_initiator)
    } else {
        (&to_initiator, &to_responder)
    };
    let channel = Channel {
        hash,
        peer,
        sealer: Sealer::new(suite, ours),
        opener: Opener::new(suite, theirs),
    };
    to_responder.zeroize();
    to_initiator.zeroize();
    channel
}
