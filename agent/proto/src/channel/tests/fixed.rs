//! Whole handshakes by their bytes: with the same secrets, every message must come out as it did when it was written down.
//! A changed byte here is a new protocol version; `writes_the_transcripts_down` makes the file for one.

use super::{
    super::{handshake::*, *},
    Always, Pair,
    vectors::unhex,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Transcript {
    suite: u8,
    ml_kem_decapsulation_key: String,
    ml_kem_ciphertext: String,
    message_1: String,
    message_2: String,
    message_3: String,
    handshake_hash: String,
    first_record_of_initiator: String,
    first_record_of_responder: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn transcripts() -> Vec<Transcript> {
    serde_json::from_str(include_str!("transcripts.json")).unwrap()
}

/// The decapsulation key of the first transcript, for tests that need the same message 1 again.
pub(super) fn kem() -> pq::Pair {
    pq::Pair::from_bytes(&unhex(&transcripts()[0].ml_kem_decapsulation_key))
}

/// Plays a handshake whose only randomness is the given key pair and ciphertext.
fn play(pair: &Pair, kem: &[u8], ciphertext: &[u8]) -> Transcript {
    let (entropy_i, entropy_r) = (Always(3), Always(4));
    let (initiator, message_1) = Initiator::start_with(
        &pair.prologue,
        &pair.agent,
        pair.outlet.public(),
        &entropy_i,
        pq::Pair::from_bytes(kem),
    )
    .unwrap();
    let secret = pq::Pair::from_bytes(kem).open(ciphertext);
    let encapsulate = |_: &[u8]| Ok((ciphertext.to_vec(), secret?));
    let (responder, message_2) = Responder::accept_with(
        &pair.prologue,
        &pair.outlet,
        &message_1,
        &entropy_r,
        encapsulate,
    )
    .unwrap();
    let (message_3, mut ours) = initiator.finish(&message_2).unwrap();
    let mut theirs = responder.finish(&message_3).unwrap();
    let first = |sealer: &mut Sealer| {
        let mut record = b"first".to_vec();
        sealer.seal_in_place(&mut record, 0).unwrap();
        hex(&record)
    };
    Transcript {
        suite: pair.prologue.suite.byte(),
        ml_kem_decapsulation_key: hex(kem),
        ml_kem_ciphertext: hex(ciphertext),
        message_1: hex(&message_1),
        message_2: hex(&message_2),
        message_3: hex(&message_3),
        handshake_hash: hex(&ours.hash.0),
        first_record_of_initiator: first(&mut ours.sealer),
        first_record_of_responder: first(&mut theirs.sealer),
    }
}

#[test]
fn a_handshake_has_these_bytes_on_the_wire() {
    for written in transcripts() {
        let pair = Pair::new(Suite::from_byte(written.suite).unwrap());
        let (kem, ciphertext) = (
            unhex(&written.ml_kem_decapsulation_key),
            unhex(&written.ml_kem_ciphertext),
        );

        let played = play(&pair, &kem, &ciphertext);

        assert_eq!(played.message_1, written.message_1);
        assert_eq!(played.message_2, written.message_2);
        assert_eq!(played.message_3, written.message_3);
        assert_eq!(played.handshake_hash, written.handshake_hash);
        assert_eq!(
            played.first_record_of_initiator,
            written.first_record_of_initiator
        );
        assert_eq!(
            played.first_record_of_responder,
            written.first_record_of_responder
        );
        assert_eq!(written.message_1.len(), 2 * MESSAGE_1);
        assert_eq!(written.message_2.len(), 2 * MESSAGE_2);
        assert_eq!(written.message_3.len(), 2 * MESSAGE_3);
    }
}

#[test]
#[ignore = "prints new transcripts, for a new version of the protocol"]
fn writes_the_transcripts_down() {
    let written: Vec<_> = Suite::ALL
        .map(|suite| {
            let kem = pq::Pair::generate();
            let (ciphertext, _) = pq::encapsulate(kem.public()).unwrap();
            play(&Pair::new(suite), &kem.to_bytes(), &ciphertext)
        })
        .into();
    println!("{}", serde_json::to_string_pretty(&written).unwrap());
}
