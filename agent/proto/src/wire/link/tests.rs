//! The link messages by their bytes.
//! A changed byte here is a new protocol version, not a test to update.

#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn every_message_to_a_relay_has_these_bytes() {
    let open = format!("0200000007{}", "aa".repeat(16));
    let table = [
        (
            ToRelay::Hello {
                pass: "a.b.c".into(),
            },
            "01612e622e63",
        ),
        (
            ToRelay::Open {
                request: 7,
                handle: ServiceHandle([0xaa; 16]),
            },
            &open,
        ),
        (ToRelay::KeyTunnel { request: 8 }, "0300000008"),
        (ToRelay::Ping(9), "040000000000000009"),
        (ToRelay::NewPass { pass: "d".into() }, "0564"),
        (ToRelay::Chain { json: b"{}".into() }, "067b7d"),
    ];

    for (message, bytes) in table {
        assert_eq!(hex(&message.encode()), bytes);
        assert!(ToRelay::decode(&message.encode()) == Ok(message));
    }
}

#[test]
fn every_message_from_a_relay_has_these_bytes() {
    let circuit = format!("8200000007{}", "bb".repeat(16));
    let incoming = format!("83{}{}", "aa".repeat(16), "bb".repeat(16));
    let token = CircuitToken([0xbb; 16]);
    let table = [
        (FromRelay::Welcome, "81"),
        (FromRelay::Circuit { request: 7, token }, circuit.as_str()),
        (
            FromRelay::Incoming {
                handle: ServiceHandle([0xaa; 16]),
                token,
            },
            &incoming,
        ),
        (
            FromRelay::Refused {
                request: 7,
                code: 2,
            },
            "84000000070002",
        ),
        (FromRelay::Pong(9), "850000000000000009"),
        (FromRelay::Draining, "86"),
    ];

    for (message, bytes) in table {
        assert_eq!(hex(&message.encode()), bytes);
        assert_eq!(FromRelay::decode(&message.encode()), Ok(message.clone()));
        let longer = [message.encode(), vec![0]].concat();
        assert_eq!(FromRelay::decode(&longer), Err(LinkMessageError::Length));
    }
}

#[test]
fn a_token_does_not_show_itself_in_a_log() {
    let shown = format!(
        "{:?}",
        FromRelay::Circuit {
            request: 1,
            token: CircuitToken([0xbb; 16])
        }
    );

    assert!(shown.contains("CircuitToken(..)") && !shown.contains("187"));
}

#[test]
fn refuses_a_pass_that_is_not_text_or_too_long() {
    for bad in [
        vec![HELLO],
        vec![b'a'; 0],
        vec![HELLO, b' '],
        vec![HELLO, 0xff],
        [vec![HELLO], vec![b'a'; MAX_PASS + 1]].concat(),
    ] {
        assert!(ToRelay::decode(&bad).is_err());
    }
}

proptest! {
    #[test]
    fn decoding_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(message) = ToRelay::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Ok(message) = FromRelay::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
