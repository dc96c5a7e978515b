//! The channel attacked: every byte of every message changed, cut, repeated, swapped; weak points; foreign prologues.
//! Each test ends in an error of ours. A panic, or a channel, would be the failure.
#![allow(clippy::unwrap_used)]

mod fixed;
mod records;
mod vectors;

use super::*;
use crate::{
    entropy::{Entropy, SystemEntropy},
    identity::NoiseSecret,
};

/// Entropy that a test can foresee: one byte, over and over.
pub(super) struct Always(pub(super) u8);

impl Entropy for Always {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

pub(super) struct Pair {
    pub(super) agent: NoiseSecret,
    pub(super) outlet: NoiseSecret,
    pub(super) prologue: Prologue,
}

impl Pair {
    pub(super) fn new(suite: Suite) -> Self {
        Self {
            agent: NoiseSecret::from_bytes(&[1; 32]),
            outlet: NoiseSecret::from_bytes(&[2; 32]),
            prologue: Prologue::portal(
                suite,
                "acme".parse().unwrap(),
                "warehouse".parse().unwrap(),
                CircuitToken([7; 16]),
            ),
        }
    }

    pub(super) fn start(&self) -> (Initiator, Vec<u8>) {
        Initiator::start(
            &self.prologue,
            &self.agent,
            self.outlet.public(),
            &SystemEntropy,
        )
        .unwrap()
    }

    pub(super) fn accept(&self, message_1: &[u8]) -> Result<(Responder, Vec<u8>), ChannelError> {
        Responder::accept(&self.prologue, &self.outlet, message_1, &SystemEntropy)
    }

    /// Both ends of a finished channel.
    pub(super) fn channels(&self) -> (Channel, Channel) {
        let (initiator, message_1) = self.start();
        let (responder, message_2) = self.accept(&message_1).unwrap();
        let (message_3, ours) = initiator.finish(&message_2).unwrap();
        (ours, responder.finish(&message_3).unwrap())
    }
}

fn suites() -> [Pair; 2] {
    Suite::ALL.map(Pair::new)
}

/// Every message that differs from `message` in one bit of one byte.
fn flips(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..message.len()).map(|i| {
        let mut flipped = message.to_vec();
        flipped[i] ^= 1 << (i % 8);
        flipped
    })
}

#[test]
fn both_ends_agree_on_who_they_are_and_what_the_channel_is_called() {
    for pair in suites() {
        let (ours, theirs) = pair.channels();

        assert_eq!(ours.hash, theirs.hash);
        assert_eq!(ours.peer, pair.outlet.public());
        assert_eq!(theirs.peer, pair.agent.public());
        assert_ne!(ours.hash, pair.channels().0.hash);
    }
}

#[test]
fn rejects_a_flip_of_any_byte_of_message_1() {
    for pair in suites() {
        let (_, message_1) = pair.start();

        for flipped in flips(&message_1) {
            assert!(pair.accept(&flipped).is_err());
        }
    }
}

#[test]
fn rejects_a_flip_of_any_byte_of_message_2() {
    // The initiator is spent by each try; fixed entropy makes the next one the same.
    for pair in suites() {
        let kem = fixed::kem;
        let start = || {
            Initiator::start_with(
                &pair.prologue,
                &pair.agent,
                pair.outlet.public(),
                &Always(3),
                kem(),
            )
            .unwrap()
        };
        let (initiator, message_1) = start();
        let (_, message_2) = pair.accept(&message_1).unwrap();
        initiator.finish(&message_2).unwrap();

        for flipped in flips(&message_2) {
            assert!(start().0.finish(&flipped).is_err());
        }
    }
}

#[test]
fn rejects_a_flip_of_any_byte_of_message_3() {
    for pair in suites() {
        for i in 0..MESSAGE_3 {
            let (initiator, message_1) = pair.start();
            let (responder, message_2) = pair.accept(&message_1).unwrap();
            let (mut message_3, _) = initiator.finish(&message_2).unwrap();

            message_3[i] ^= 1 << (i % 8);

            assert_eq!(
                responder.finish(&message_3).err(),
                Some(ChannelError::Rejected)
            );
        }
    }
}

#[test]
fn rejects_messages_cut_anywhere_or_too_long() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let (_, mut message_1) = pair.start();
    for cut in (0..message_1.len()).step_by(16).chain([1, 31]) {
        assert_eq!(
            pair.accept(&message_1[..cut]).err(),
            Some(ChannelError::Size)
        );
    }
    message_1.push(0);
    assert_eq!(pair.accept(&message_1).err(), Some(ChannelError::Size));

    for cut in (0..=MESSAGE_2 + 16)
        .step_by(16)
        .filter(|cut| *cut != MESSAGE_2)
    {
        let (initiator, message_1) = pair.start();
        let (_, mut message_2) = pair.accept(&message_1).unwrap();
        message_2.resize(cut, 0);
        assert_eq!(initiator.finish(&message_2).err(), Some(ChannelError::Size));
    }

    for cut in (0..MESSAGE_3).chain([MESSAGE_3 + 1]) {
        let (initiator, message_1) = pair.start();
        let (responder, message_2) = pair.accept(&message_1).unwrap();
        let (mut message_3, _) = initiator.finish(&message_2).unwrap();
        message_3.resize(cut, 0);
        assert_eq!(responder.finish(&message_3).err(), Some(ChannelError::Size));
    }
}

#[test]
fn rejects_messages_in_the_wrong_place() {
    let pair = Pair::new(Suite::ChaCha20Poly1305);
    let (initiator, message_1) = pair.start();
    let (responder, message_2) = pair.accept(&message_1).unwrap();

    assert!(pair.accept(&message_2).is_err(), "message 2 as message 1");
    assert!(
        responder.finish(&message_2).is_err(),
        "message 2 as message 3"
    );
    let mut own = message_1.clone();
    own.resize(MESSAGE_2, 0);
    assert_eq!(
        initiator.finish(&own).err(),
        Some(ChannelError::Rejected),
        "our own message sent back"
    );
}

#[test]
fn a_replayed_message_1_leads_nowhere() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let (initiator, message_1) = pair.start();
    let (first, message_2) = pair.accept(&message_1).unwrap();
    let (replayed, _) = pair.accept(&message_1).unwrap();

    let (message_3, _) = initiator.finish(&message_2).unwrap();

    assert!(first.finish(&message_3).is_ok());
    assert_eq!(
        replayed.finish(&message_3).err(),
        Some(ChannelError::Rejected)
    );
}

#[test]
fn a_message_3_of_another_session_is_rejected() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let (one, two) = (pair.start(), pair.start());
    let (responder_one, message_2_one) = pair.accept(&one.1).unwrap();
    let (responder_two, message_2_two) = pair.accept(&two.1).unwrap();
    let (message_3_one, _) = one.0.finish(&message_2_one).unwrap();

    assert_eq!(
        responder_two.finish(&message_3_one).err(),
        Some(ChannelError::Rejected)
    );
    assert_eq!(
        two.0.finish(&message_2_one).err(),
        Some(ChannelError::Rejected)
    );
    drop((responder_one, message_2_two));
}

#[test]
fn a_prologue_that_differs_in_any_field_is_rejected() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let believed = &pair.prologue;
    let others = [
        Prologue {
            suite: Suite::ChaCha20Poly1305,
            ..believed.clone()
        },
        Prologue {
            org: "acme2".parse().unwrap(),
            ..believed.clone()
        },
        Prologue {
            service: Some("warehous".parse().unwrap()),
            ..believed.clone()
        },
        Prologue {
            service: None,
            ..believed.clone()
        },
        Prologue {
            token: CircuitToken([8; 16]),
            ..believed.clone()
        },
        Prologue {
            role: Role::Link,
            ..believed.clone()
        },
        Prologue {
            role: Role::Api,
            ..believed.clone()
        },
    ];
    let (_, message_1) = pair.start();

    for other in others {
        let accepted = Responder::accept(&other, &pair.outlet, &message_1, &SystemEntropy);
        assert_eq!(accepted.err(), Some(ChannelError::Rejected), "{other:?}");
    }
}

#[test]
fn no_two_prologues_have_the_same_bytes() {
    let bytes = |org: &str, service: &str| {
        let token = CircuitToken([7; 16]);
        Prologue::portal(
            Suite::Aes256Gcm,
            org.parse().unwrap(),
            service.parse().unwrap(),
            token,
        )
        .encode()
    };

    assert_eq!(
        bytes("a", "bc"),
        [
            b"tidegate/1\0\x01".as_slice(),
            b"\0\0\0\x01a\0\0\0\x02bc\0\0\0\x10",
            &[7; 16],
            &[1],
        ]
        .concat()
    );
    assert_ne!(bytes("a", "bc"), bytes("ab", "c"));
}

#[test]
fn the_responder_must_hold_the_pinned_key() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let impostor = NoiseSecret::from_bytes(&[9; 32]);
    let (initiator, message_1) = pair.start();

    let (_, message_2) =
        Responder::accept(&pair.prologue, &impostor, &message_1, &SystemEntropy).unwrap();

    assert_eq!(
        initiator.finish(&message_2).err(),
        Some(ChannelError::UnexpectedPeer)
    );
}

#[test]
fn whichever_of_the_pinned_keys_answers_is_spoken_to_and_no_other() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let key = |n| NoiseSecret::from_bytes(&[n; 32]).public();
    let finish = |pinned: &[NoisePublic]| {
        let pinned: Pinned = pinned.iter().copied().collect();
        let started = Initiator::start(&pair.prologue, &pair.agent, pinned, &SystemEntropy);
        let (initiator, message_1) = started.unwrap();
        let (_, message_2) = pair.accept(&message_1).unwrap();
        initiator
            .finish(&message_2)
            .map(|(_, channel)| channel.peer)
    };
    let outlet = pair.outlet.public();

    assert_eq!(finish(&[outlet, key(8), key(9)]), Ok(outlet));
    assert_eq!(finish(&[key(8), key(9), outlet]), Ok(outlet));
    for others in [&[key(8), key(9)][..], &[]] {
        assert_eq!(finish(others), Err(ChannelError::UnexpectedPeer));
    }
}

#[test]
fn nobody_speaks_to_somebody_with_their_own_key() {
    let pair = Pair::new(Suite::Aes256Gcm);
    let start = Initiator::start(
        &pair.prologue,
        &pair.outlet,
        pair.outlet.public(),
        &SystemEntropy,
    );
    assert_eq!(start.err(), Some(ChannelError::OwnKey));

    // An initiator that got hold of the outlet's key is told nothing new by the outlet.
    let (initiator, message_1) = Initiator::start(
        &pair.prologue,
        &pair.outlet,
        pair.agent.public(),
        &SystemEntropy,
    )
    .unwrap();
    let (responder, message_2) = pair.accept(&message_1).unwrap();
    assert_eq!(
        initiator.finish(&message_2).err(),
        Some(ChannelError::OwnKey)
    );
    drop(responder);

    let mut twin = Pair::new(Suite::Aes256Gcm);
    twin.agent = NoiseSecret::from_bytes(&[2; 32]);
    let message_3 = finish_without_checks(&twin, |responder| responder);
    assert_eq!(message_3.err(), Some(ChannelError::OwnKey));
}

/// Runs a handshake whose initiator holds the responder's key and does not care.
fn finish_without_checks(
    pair: &Pair,
    seen: impl FnOnce(Responder) -> Responder,
) -> Result<Channel, ChannelError> {
    let mut initiator = vectors::initiator(&pair.prologue, &pair.agent);
    let kem = pq::Pair::generate();
    let mut buffer = vec![0; 65_535];
    let length = initiator.write_message(kem.public(), &mut buffer).unwrap();
    let (responder, message_2) = pair.accept(&buffer[..length])?;
    let length = initiator.read_message(&message_2, &mut buffer).unwrap();
    let secret = kem.open(&buffer[..length]).unwrap();
    let hash = HandshakeHash(initiator.get_handshake_hash().try_into().unwrap());
    initiator.set_psk(3, &*pq::psk(&hash, &secret)).unwrap();
    let length = initiator.write_message(&[], &mut buffer).unwrap();
    seen(responder).finish(&buffer[..length])
}

#[test]
fn rejects_low_order_ephemeral_keys() {
    for pair in suites() {
        for weak in low_order() {
            let mut noise = vectors::initiator(&pair.prologue, &pair.agent);
            let mut message_1 = vec![0; 65_535];
            let length = noise
                .write_message(pq::Pair::generate().public(), &mut message_1)
                .unwrap();
            message_1.truncate(length);
            message_1[..32].copy_from_slice(&weak);
            // Re-keyed by hand, so that only the weakness of the point is wrong with it.
            let forged =
                vectors::message_1_with(&pair.prologue, weak, pq::Pair::generate().public());

            assert!(pair.accept(&message_1).is_err());
            assert_eq!(
                pair.accept(&forged).err(),
                Some(ChannelError::WeakKey),
                "{weak:02x?}"
            );
        }
    }
}

#[test]
fn rejects_a_low_order_ephemeral_key_of_whoever_answers() {
    for pair in suites() {
        for weak in low_order() {
            let (initiator, message_1) = pair.start();
            let of_the_right_size = vec![7; pq::CIPHERTEXT];
            let forged =
                vectors::message_2_with(&pair.prologue, weak, (&message_1, &of_the_right_size));

            assert_eq!(
                initiator.finish(&forged).err(),
                Some(ChannelError::WeakKey),
                "{weak:02x?}"
            );
        }
    }
}

fn low_order() -> Vec<[u8; 32]> {
    let first = |n: u8| std::array::from_fn(|i| if i == 0 { n } else { 0 });
    let near_p = |n: u8| {
        std::array::from_fn(|i| {
            if i == 0 {
                n
            } else if i == 31 {
                0x7f
            } else {
                0xff
            }
        })
    };
    let mut points = vec![first(0), first(1), near_p(0xec), near_p(0xed), near_p(0xee)];
    points.extend(crate::identity::X25519_ORDER_8);
    points
}

#[test]
fn rejects_ml_kem_keys_that_are_not_keys() {
    for pair in suites() {
        let forge = |payload: &[u8]| {
            let mut noise = vectors::initiator(&pair.prologue, &pair.agent);
            let mut message_1 = vec![0; 65_535];
            let length = noise.write_message(payload, &mut message_1).unwrap();
            message_1.truncate(length);
            pair.accept(&message_1).err()
        };

        for length in [0, 1, pq::KEY - 1, pq::KEY + 1, 1568] {
            assert_eq!(forge(&vec![0; length]), Some(ChannelError::Size));
        }
        // Coefficients over q are refused (FIPS 203, section 7.2).
        assert_eq!(forge(&[0xff; pq::KEY]), Some(ChannelError::WeakKey));
    }
}

#[test]
fn a_changed_ml_kem_ciphertext_or_another_psk_surfaces_at_message_3() {
    for pair in suites() {
        let (initiator, message_1) = pair.start();
        let (responder, _) = pair.accept(&message_1).unwrap();
        drop(initiator);
        let kem = pq::Pair::generate();
        let mut noise = vectors::initiator(&pair.prologue, &pair.agent);
        let mut buffer = vec![0; 65_535];
        let length = noise.write_message(kem.public(), &mut buffer).unwrap();
        let (victim, message_2) = pair.accept(&buffer[..length]).unwrap();
        let length = noise.read_message(&message_2, &mut buffer).unwrap();

        let mut ciphertext = buffer[..length].to_vec();
        ciphertext[7] ^= 1;
        let secret = kem
            .open(&ciphertext)
            .expect("implicit rejection gives another secret");
        let hash = HandshakeHash(noise.get_handshake_hash().try_into().unwrap());
        assert!(
            noise.write_message(&[], &mut buffer).is_err(),
            "no psk, no message 3"
        );
        noise.set_psk(3, &*pq::psk(&hash, &secret)).unwrap();
        let length = noise.write_message(&[], &mut buffer).unwrap();

        assert_eq!(
            victim.finish(&buffer[..length]).err(),
            Some(ChannelError::Rejected)
        );
        drop(responder);
    }
}

#[test]
fn a_stranger_never_learns_who_dialled() {
    // The initiator's key leaves only in message 3, and that exists only for the pinned responder.
    let pair = Pair::new(Suite::Aes256Gcm);
    let (_, message_1) = pair.start();
    let key = *pair.agent.public().as_bytes();

    assert!(!message_1.windows(32).any(|window| window == key));
}
