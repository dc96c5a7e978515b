//! The resolver and the record ciphers against published vectors: Noise as everybody else speaks it.
//! Also builds raw Noise states for tests that must misbehave in ways that our own types do not allow.

use super::super::{
    Channel, Prologue, Suite,
    handshake::split,
    resolver::{AwsLc, X25519Key},
};
use crate::{
    entropy::{Entropy, SystemEntropy},
    identity::{NoisePublic, NoiseSecret},
};
use serde::Deserialize;
use snow::{
    Builder, Error, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

pub(super) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    protocol_name: String,
    init_prologue: String,
    #[serde(default)]
    init_psks: Vec<String>,
    init_static: String,
    init_ephemeral: String,
    resp_static: String,
    resp_ephemeral: String,
    handshake_hash: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    payload: String,
    ciphertext: String,
}

impl Vector {
    fn state(&self, secret: &str, ephemeral: &str, initiator: bool) -> HandshakeState {
        let (prologue, secret) = (unhex(&self.init_prologue), unhex(secret));
        let psks: Vec<_> = self.init_psks.iter().map(|psk| unhex(psk)).collect();
        let resolver = AwsLc {
            ephemeral: Zeroizing::new(unhex(ephemeral).try_into().unwrap()),
        };
        let mut builder =
            Builder::with_resolver(self.protocol_name.parse().unwrap(), Box::new(resolver))
                .prologue(&prologue)
                .and_then(|builder| builder.local_private_key(&secret))
                .unwrap();
        for psk in &psks {
            builder = builder.psk(3, psk.as_slice().try_into().unwrap()).unwrap();
        }
        if initiator {
            builder.build_initiator()
        } else {
            builder.build_responder()
        }
        .unwrap()
    }

    fn suite(&self) -> Suite {
        if self.protocol_name.contains("AESGCM") {
            Suite::Aes256Gcm
        } else {
            Suite::ChaCha20Poly1305
        }
    }

    /// Plays the handshake, byte by byte as published.
    fn handshake(&self) -> (Channel, Channel) {
        let mut writer = self.state(&self.init_static, &self.init_ephemeral, true);
        let mut reader = self.state(&self.resp_static, &self.resp_ephemeral, false);
        for message in &self.messages[..3] {
            let mut wire = vec![0; 65_535];
            let length = writer
                .write_message(&unhex(&message.payload), &mut wire)
                .unwrap();
            assert_eq!(
                wire[..length],
                unhex(&message.ciphertext),
                "{}",
                self.protocol_name
            );
            let mut payload = vec![0; 65_535];
            let length = reader.read_message(&wire[..length], &mut payload).unwrap();
            assert_eq!(payload[..length], unhex(&message.payload));
            std::mem::swap(&mut writer, &mut reader);
        }
        // The initiator wrote last: after the swap it is the reader.
        let key = NoisePublic::new(*NoiseSecret::from_bytes(&[1; 32]).public().as_bytes()).unwrap();
        (
            split(reader, self.suite(), key),
            split(writer, self.suite(), key),
        )
    }
}

#[test]
fn speaks_noise_as_the_published_vectors_do() {
    let file: File = serde_json::from_str(include_str!("cacophony.json")).unwrap();
    assert_eq!(file.vectors.len(), 4);

    for vector in file.vectors {
        let (mut initiator, mut responder) = vector.handshake();
        assert_eq!(initiator.hash.0.as_slice(), unhex(&vector.handshake_hash));
        assert_eq!(responder.hash, initiator.hash);

        for (i, message) in vector.messages[3..].iter().enumerate() {
            let (from, to) = if i % 2 == 0 {
                (&mut responder.sealer, &mut initiator.opener)
            } else {
                (&mut initiator.sealer, &mut responder.opener)
            };
            let mut record = unhex(&message.payload);
            from.seal_in_place(&mut record, 0).unwrap();
            assert_eq!(
                record,
                unhex(&message.ciphertext),
                "{} record {i}",
                vector.protocol_name
            );
            assert_eq!(
                to.open_in_place(&mut record).unwrap(),
                unhex(&message.payload)
            );
        }
    }
}

/// A raw initiator under our own protocol name, without any of our checks.
pub(super) fn initiator(prologue: &Prologue, secret: &NoiseSecret) -> HandshakeState {
    let mut ephemeral = Zeroizing::new([0; 32]);
    SystemEntropy.fill(&mut *ephemeral);
    build(prologue, secret, Box::new(AwsLc { ephemeral }))
}

/// A message 1 that is well made in every way but for its ephemeral key.
pub(super) fn message_1_with(prologue: &Prologue, ephemeral: [u8; 32], payload: &[u8]) -> Vec<u8> {
    let secret = NoiseSecret::generate(&SystemEntropy);
    let mut noise = build(prologue, &secret, Box::new(Forger(ephemeral)));
    let mut message = vec![0; 65_535];
    let length = noise.write_message(payload, &mut message).unwrap();
    message.truncate(length);
    assert_eq!(message[..32], ephemeral);
    message
}

/// A message 2 that is well made in every way but for its ephemeral key.
pub(super) fn message_2_with(
    prologue: &Prologue,
    ephemeral: [u8; 32],
    (message_1, payload): (&[u8], &[u8]),
) -> Vec<u8> {
    let secret = NoiseSecret::generate(&SystemEntropy);
    let mut noise = build_as(prologue, &secret, Box::new(Forger(ephemeral)), |builder| {
        builder.build_responder()
    });
    let mut message = vec![0; 65_535];
    noise.read_message(message_1, &mut message).unwrap();
    let length = noise.write_message(payload, &mut message).unwrap();
    message.truncate(length);
    assert_eq!(message[..32], ephemeral);
    message
}

fn build(
    prologue: &Prologue,
    secret: &NoiseSecret,
    resolver: Box<dyn CryptoResolver + Send>,
) -> HandshakeState {
    build_as(prologue, secret, resolver, |builder| {
        builder.build_initiator()
    })
}

fn build_as(
    prologue: &Prologue,
    secret: &NoiseSecret,
    resolver: Box<dyn CryptoResolver + Send>,
    role: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> HandshakeState {
    let (secret, prologue_bytes) = (secret.to_bytes(), prologue.encode());
    Builder::with_resolver(prologue.suite.noise_name().parse().unwrap(), resolver)
        .prologue(&prologue_bytes)
        .and_then(|builder| builder.local_private_key(&*secret))
        .and_then(role)
        .unwrap()
}

/// Our resolver, but every key pair claims the same public key.
struct Forger([u8; 32]);

impl CryptoResolver for Forger {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        AwsLc {
            ephemeral: Zeroizing::new([5; 32]),
        }
        .resolve_rng()
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(Claims {
            public: self.0,
            key: X25519Key::default(),
        }))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        AwsLc {
            ephemeral: Zeroizing::new([5; 32]),
        }
        .resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        AwsLc {
            ephemeral: Zeroizing::new([5; 32]),
        }
        .resolve_cipher(choice)
    }
}

struct Claims {
    public: [u8; 32],
    key: X25519Key,
}

impl Dh for Claims {
    fn name(&self) -> &'static str {
        self.key.name()
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        self.key.set(secret);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        self.key.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.key.privkey()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.key.dh(public, out)
    }
}
