//! First packets, whole and in pieces, honest and hostile.
#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::startup::Version;

const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const CANCEL_REQUEST: &[u8] = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd";
const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0ana\0\0";

fn inlet() -> Opening {
    Opening::new(Side::Inlet)
}

#[test]
fn the_inlet_offers_tls_and_declines_gss() {
    let mut opening = inlet();

    assert_eq!(
        opening.handle_input(GSS_REQUEST),
        Ok(Asked::Encryption(b'N'))
    );
    assert_eq!(
        opening.handle_input(SSL_REQUEST),
        Ok(Asked::Tls {
            reply: b"S",
            early: vec![]
        })
    );
    opening.tls_started();
    let startup = Startup::new(Version::V3_0).with("user", "ana");
    assert_eq!(
        opening.handle_input(STARTUP),
        Ok(Asked::Startup {
            startup,
            early: vec![]
        })
    );
}

#[test]
fn the_outlet_declines_both_and_reads_on() {
    let mut opening = Opening::new(Side::Outlet);

    assert_eq!(
        opening.handle_input(SSL_REQUEST),
        Ok(Asked::Encryption(b'N'))
    );
    assert_eq!(
        opening.handle_input(GSS_REQUEST),
        Ok(Asked::Encryption(b'N'))
    );
    assert!(matches!(
        opening.handle_input(STARTUP),
        Ok(Asked::Startup { .. })
    ));
}

#[test]
fn takes_tls_without_the_question() {
    let hello = b"\x16\x03\x01\x02\0\x01";

    let asked = inlet().handle_input(hello);

    assert_eq!(
        asked,
        Ok(Asked::Tls {
            reply: b"",
            early: hello.to_vec()
        })
    );
    assert_eq!(
        Opening::new(Side::Outlet).handle_input(hello),
        Err(OpeningError::Length)
    );
}

#[test]
fn bytes_after_an_encryption_request_kill_the_connection() {
    for request in [SSL_REQUEST, GSS_REQUEST] {
        for side in [Side::Inlet, Side::Outlet] {
            let stuffed = [request, STARTUP].concat();

            let result = Opening::new(side).handle_input(&stuffed);

            assert_eq!(result, Err(OpeningError::BytesBeforeEncryption));
        }
    }
}

#[test]
fn encryption_is_asked_for_once_and_never_inside_of_itself() {
    let mut twice = Opening::new(Side::Outlet);
    twice.handle_input(SSL_REQUEST).unwrap();
    assert_eq!(
        twice.handle_input(SSL_REQUEST),
        Err(OpeningError::EncryptionAgain)
    );

    let mut inside = inlet();
    inside.handle_input(SSL_REQUEST).unwrap();
    inside.tls_started();
    assert_eq!(
        inside.handle_input(GSS_REQUEST),
        Err(OpeningError::EncryptionAgain)
    );
}

#[test]
fn impossible_lengths_end_in_silence() {
    for length in [0_u32, 1, 4, 7, 0x1_0000, 0x7fff_ffff, 0xffff_ffff] {
        let result = inlet().handle_input(&length.to_be_bytes());

        assert_eq!(result, Err(OpeningError::Length), "{length}");
        assert_eq!(OpeningError::Length.report(), None);
    }
}

#[test]
fn a_startup_that_postgresql_would_not_take_is_answered_with_a_sentence() {
    for length in [10_005_u32, 20_000, 0xffff] {
        let result = inlet().handle_input(&length.to_be_bytes());

        assert_eq!(result, Err(OpeningError::TooLong), "{length}");
    }
    let longest = 10_004_u32.to_be_bytes();
    assert_eq!(inlet().handle_input(&longest), Ok(Asked::Nothing));
    assert!(OpeningError::TooLong.report().is_some());
}

#[test]
fn the_longest_startup_is_the_servers() {
    let text = vec![b'x'; 10_004 - 8 - 6 - 1];
    let packet = [
        &10_004_u32.to_be_bytes(),
        &b"\0\x03\0\0user\0"[..],
        &text,
        b"\0\0",
    ]
    .concat();

    assert_eq!(packet.len(), 10_004);
    assert!(matches!(
        inlet().handle_input(&packet),
        Ok(Asked::Startup { .. })
    ));
}

#[test]
fn browsers_are_refused_in_silence() {
    let requests = [
        "GET / HTTP/1.1\r\n",
        "POST /x",
        "PUT /",
        "HEAD /",
        "OPTIONS *",
        "PRI * HTTP/2.0",
        "CONNECT a:1",
    ];
    for request in requests {
        assert_eq!(
            inlet().handle_input(request.as_bytes()),
            Err(OpeningError::Browser),
            "{request}"
        );
    }
    assert_eq!(OpeningError::Browser.report(), None);
}

#[test]
fn replication_and_old_versions_hear_why() {
    let refused = inlet()
        .handle_input(b"\0\0\0\x18\0\x03\0\0replication\0on\0\0")
        .unwrap_err();
    assert_eq!(refused, OpeningError::Startup(StartupError::Replication));
    assert_eq!(refused.report().unwrap().code, SqlState::NOT_SUPPORTED);

    let version_2 = inlet().handle_input(b"\0\0\0\x09\0\x02\0\0\0").unwrap_err();
    assert_eq!(version_2.report().unwrap().code, SqlState::NOT_SUPPORTED);
}

#[test]
fn cancel_keys_come_in_both_lengths_and_nothing_follows_them() {
    let Ok(Asked::Cancel(short)) = inlet().handle_input(CANCEL_REQUEST) else {
        panic!("no cancel")
    };
    assert_eq!(short.encode(), CANCEL_REQUEST);

    let long = [&b"\0\0\x01\x0c\x04\xd2\x16\x2e\0\0\0\x07"[..], &[9; 256]].concat();
    let Ok(Asked::Cancel(key)) = inlet().handle_input(&long) else {
        panic!("no cancel")
    };
    assert_eq!(key.encode(), long);

    let too_long = [&b"\0\0\x01\x0d\x04\xd2\x16\x2e\0\0\0\x07"[..], &[9; 257]].concat();
    assert_eq!(inlet().handle_input(&too_long), Err(OpeningError::Length));
    let too_short = b"\0\0\0\x0f\x04\xd2\x16\x2e\0\0\0\x07abc";
    assert_eq!(inlet().handle_input(too_short), Err(OpeningError::Length));
    let followed = [CANCEL_REQUEST, b"!"].concat();
    assert_eq!(
        inlet().handle_input(&followed),
        Err(OpeningError::BytesAfterCancel)
    );
}

#[test]
fn what_follows_the_startup_is_kept() {
    let eager = [STARTUP, b"Q\0\0\0\x05\0"].concat();

    let Ok(Asked::Startup { early, .. }) = inlet().handle_input(&eager) else {
        panic!("no startup")
    };

    assert_eq!(early, b"Q\0\0\0\x05\0");
}

proptest! {
    #[test]
    fn any_cutting_of_the_packets_gives_the_same(cuts in prop::collection::vec(1_usize..5, 8..40)) {
        for packet in [SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, STARTUP, b"GET / HTTP/1.1"] {
            let whole = inlet().handle_input(packet);
            let mut opening = inlet();
            let mut result = Ok(Asked::Nothing);
            let mut rest = packet;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || result != Ok(Asked::Nothing) { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                result = opening.handle_input(piece);
                rest = after;
            }
            prop_assert_eq!(result, whole);
        }
    }

    #[test]
    fn random_bytes_never_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6),
        length in 0_u8..40,
        code in prop::sample::select(vec![SSL, GSS, CANCEL, 3 << 16, 7]),
    ) {
        for head in [vec![], [&[0, 0, 0, length], &code.to_be_bytes()[..]].concat()] {
            let mut opening = inlet();
            let mut result = opening.handle_input(&head);
            for piece in &pieces {
                if result.is_err() { break; }
                result = opening.handle_input(piece);
            }
        }
    }
}
