//! Our channel against Python's `noiseprotocol`, in both roles and under both ciphers, rekey included.
//! Needs an interpreter that has it, in `TIDEGATE_PYTHON` (`cargo xtask test` makes one); in CI its absence is a failure.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use serde_json::json;
use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use tidegate_proto::{
    channel::{Channel, CircuitToken, Initiator, Prologue, Responder, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/noise/peer.py");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

/// The other implementation.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &str, prologue: &Prologue, initiator: bool, secret: &NoiseSecret) -> Self {
        let mut child = Command::new(python)
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        let mut peer = Self {
            child,
            stdin,
            stdout,
        };
        let name = match prologue.suite {
            Suite::Aes256Gcm => "Noise_XXpsk3_25519_AESGCM_SHA256",
            Suite::ChaCha20Poly1305 => "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
        };
        let (prologue, secret) = (hex(&prologue.encode()), hex(&*secret.to_bytes()));
        let start = json!({"do": "start", "name": name, "initiator": initiator, "prologue": prologue, "secret": secret});
        peer.tell(&start);
        peer
    }

    fn tell(&mut self, step: &serde_json::Value) -> Vec<u8> {
        writeln!(self.stdin, "{step}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "the peer gave up at {step}");
        unhex(answer.trim())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn prologue(suite: Suite) -> Prologue {
    Prologue::portal(
        suite,
        "acme".parse().unwrap(),
        "warehouse".parse().unwrap(),
        CircuitToken([7; 16]),
    )
}

/// We dial, Python answers.
fn we_initiate(python: &str, suite: Suite) -> (Channel, Peer) {
    let (ours, theirs) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let prologue = prologue(suite);
    let mut peer = Peer::start(python, &prologue, false, &theirs);

    let (initiator, message_1) =
        Initiator::start(&prologue, &ours, theirs.public(), &SystemEntropy).unwrap();
    let key = peer.tell(&json!({"do": "read", "message": hex(&message_1)}));
    let (ciphertext, secret) = EncapsulationKey::new(&ML_KEM_768, &key)
        .unwrap()
        .encapsulate()
        .unwrap();
    let message_2 = peer.tell(&json!({"do": "write", "payload": hex(ciphertext.as_ref())}));
    peer.tell(&json!({"do": "psk", "secret": hex(secret.as_ref())}));
    let (message_3, channel) = initiator.finish(&message_2).unwrap();
    assert_eq!(
        peer.tell(&json!({"do": "read", "message": hex(&message_3)})),
        b""
    );
    (channel, peer)
}

/// Python dials, we answer.
fn we_respond(python: &str, suite: Suite) -> (Channel, Peer) {
    let (ours, theirs) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let prologue = prologue(suite);
    let mut peer = Peer::start(python, &prologue, true, &theirs);
    let kem = DecapsulationKey::generate(&ML_KEM_768).unwrap();
    let key = kem.encapsulation_key().unwrap().key_bytes().unwrap();

    let message_1 = peer.tell(&json!({"do": "write", "payload": hex(key.as_ref())}));
    let (responder, message_2) =
        Responder::accept(&prologue, &ours, &message_1, &SystemEntropy).unwrap();
    let ciphertext = peer.tell(&json!({"do": "read", "message": hex(&message_2)}));
    let secret = kem
        .decapsulate(Ciphertext::from(ciphertext.as_slice()))
        .unwrap();
    peer.tell(&json!({"do": "psk", "secret": hex(secret.as_ref())}));
    let message_3 = peer.tell(&json!({"do": "write", "payload": ""}));
    let channel = responder.finish(&message_3).unwrap();
    assert_eq!(channel.peer, theirs.public());
    (channel, peer)
}

/// Records both ways, with a rekey of each direction in the middle.
fn talk(mut channel: Channel, mut peer: Peer) {
    assert_eq!(peer.tell(&json!({"do": "hash"})), channel.hash.0);
    for round in 0..3 {
        for text in [&b"x"[..], &[0x5a; 60_000]] {
            let mut record = text.to_vec();
            channel.sealer.seal_in_place(&mut record, 0).unwrap();
            assert_eq!(
                peer.tell(&json!({"do": "decrypt", "record": hex(&record)})),
                text
            );
            let mut record = peer.tell(&json!({"do": "encrypt", "text": hex(text)}));
            assert_eq!(channel.opener.open_in_place(&mut record).unwrap(), text);
        }
        if round == 1 {
            let mut announcement = Vec::new();
            channel.sealer.rekey(&mut announcement).unwrap();
            assert_eq!(
                peer.tell(&json!({"do": "decrypt", "record": hex(&announcement)})),
                b""
            );
            peer.tell(&json!({"do": "rekey_in"}));
            let mut announcement = peer.tell(&json!({"do": "encrypt", "text": ""}));
            peer.tell(&json!({"do": "rekey_out"}));
            assert_eq!(
                channel.opener.open_in_place(&mut announcement).unwrap(),
                b""
            );
        }
    }
}

#[test]
fn speaks_with_an_implementation_by_somebody_else() {
    let Ok(python) = env::var("TIDEGATE_PYTHON") else {
        assert!(
            env::var_os("CI").is_none(),
            "TIDEGATE_PYTHON is not set: run this through cargo xtask test"
        );
        eprintln!("skipped: TIDEGATE_PYTHON names no interpreter with noiseprotocol 0.3.1");
        return;
    };
    for suite in Suite::ALL {
        let (channel, peer) = we_initiate(&python, suite);
        talk(channel, peer);
        let (channel, peer) = we_respond(&python, suite);
        talk(channel, peer);
    }
}
