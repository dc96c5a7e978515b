//! The frames by their bytes.
//! A changed byte here is a new protocol version, not a test to update.

#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode_into(&mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn every_frame_has_these_bytes_on_the_wire() {
    let open = Open {
        portal: 7,
        process: 9,
        purpose: Purpose::Probe,
        grant: None,
        first: &[],
    };
    let granted = Open {
        portal: 7,
        process: 9,
        purpose: Purpose::Connect,
        grant: Some([0xee; 32]),
        first: &[],
    };
    let with_first = Open {
        portal: 7,
        process: 9,
        purpose: Purpose::Connect,
        grant: None,
        first: b"hi",
    };
    let resume = Resume {
        instance: [0xaa; 16],
        portal: 1,
        generation: 2,
        received: 3,
    };
    let kept = Open {
        portal: 7,
        process: 9,
        purpose: Purpose::Resumable,
        grant: None,
        first: &[],
    };
    let berth_hex = format!("110000000000000007{}003c", "aa".repeat(16));
    let grant_hex = format!("03000000000000000700000000000000090001{}", "ee".repeat(32));
    let resume_hex = format!(
        "0e{}000000000000000100000000000000020000000000000003",
        "aa".repeat(16)
    );
    let table = [
        (Frame::Auth(b"x"), "0178"),
        (
            Frame::Admitted {
                deadline: UnixTime(258),
            },
            "020000000000000102",
        ),
        (Frame::Open(open), "03000000000000000700000000000000090100"),
        (Frame::Open(granted), grant_hex.as_str()),
        (
            Frame::Open(with_first),
            "030000000000000007000000000000000900006869",
        ),
        (Frame::Opened { portal: 7 }, "040000000000000007"),
        (
            Frame::Refused {
                code: 2001,
                text: "no",
            },
            "0507d16e6f",
        ),
        (
            Frame::Data {
                offset: 9,
                bytes: b"ab",
            },
            "0600000000000000096162",
        ),
        (Frame::Ack { offset: 9 }, "070000000000000009"),
        (Frame::Fin { offset: 9 }, "080000000000000009"),
        (Frame::Reset { code: 1 }, "090001"),
        (Frame::Ping(5), "0a0000000000000005"),
        (Frame::Pong(5), "0b0000000000000005"),
        (
            Frame::Notice {
                code: 3, text: "é"
            },
            "0c0003c3a9",
        ),
        (Frame::Reauth(b"y"), "0d79"),
        (Frame::Resume(resume), resume_hex.as_str()),
        (Frame::Resumed { received: 3 }, "0f0000000000000003"),
        (Frame::Window { bytes: 1 << 20 }, "100000000000100000"),
        (Frame::Open(kept), "03000000000000000700000000000000090200"),
        (
            Frame::Berth {
                portal: 7,
                instance: [0xaa; 16],
                seconds: 60,
            },
            berth_hex.as_str(),
        ),
    ];

    for (frame, bytes) in table {
        assert_eq!(hex(&encoded(&frame)), bytes, "{frame:?}");
        assert_eq!(Frame::decode(&encoded(&frame)), Ok(frame));
    }
}

#[test]
fn refuses_one_byte_too_few_or_too_many() {
    let fixed = [
        Frame::Admitted {
            deadline: UnixTime(1),
        },
        Frame::Open(Open {
            portal: 7,
            process: 9,
            purpose: Purpose::Probe,
            grant: None,
            first: &[],
        }),
        Frame::Open(Open {
            portal: 7,
            process: 9,
            purpose: Purpose::Probe,
            grant: Some([1; 32]),
            first: &[],
        }),
        Frame::Opened { portal: 7 },
        Frame::Ack { offset: 9 },
        Frame::Fin { offset: 9 },
        Frame::Reset { code: 1 },
        Frame::Ping(5),
        Frame::Pong(5),
        Frame::Resume(Resume {
            instance: [0; 16],
            portal: 1,
            generation: 2,
            received: 3,
        }),
        Frame::Resumed { received: 3 },
        Frame::Window { bytes: 3 },
        Frame::Berth {
            portal: 7,
            instance: [1; 16],
            seconds: 1,
        },
    ];

    for frame in fixed {
        let mut bytes = encoded(&frame);
        assert_eq!(
            Frame::decode(&bytes[..bytes.len() - 1]),
            Err(FrameError::Length),
            "{frame:?}"
        );
        bytes.push(0);
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Length), "{frame:?}");
    }
}

#[test]
fn refuses_what_no_encoder_writes() {
    let open = |purpose, granted| [&[OPEN][..], &[0; 16], &[purpose, granted]].concat();
    let window = |bytes: u64| [&[WINDOW][..], &bytes.to_be_bytes()].concat();
    let bad: [(Vec<u8>, FrameError); 14] = [
        (vec![], FrameError::Length),
        (vec![0], FrameError::Type),
        (vec![0x12], FrameError::Type),
        (window(0), FrameError::Field),
        (window(MAX_WINDOW + 1), FrameError::Field),
        (vec![AUTH], FrameError::Length),
        (vec![REAUTH; MAX_AUTH + 2], FrameError::Length),
        (open(3, 0), FrameError::Field),
        (open(0, 2), FrameError::Field),
        ([open(0, 1), vec![0; 31]].concat(), FrameError::Length),
        ([&[DATA][..], &[0; 8]].concat(), FrameError::Length),
        ([&[DATA][..], &[0xff; 9]].concat(), FrameError::Field),
        (b"\x05\x00\x01a\nb".to_vec(), FrameError::Field),
        (
            [b"\x05\x00\x01", "\u{202e}".as_bytes()].concat(),
            FrameError::Field,
        ),
    ];

    for (bytes, error) in bad {
        assert_eq!(Frame::decode(&bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn text_is_cut_and_cleaned_before_it_leaves() {
    let long = "é\n".repeat(1000);

    let bytes = encoded(&Frame::Notice {
        code: 1,
        text: &long,
    });

    let Ok(Frame::Notice { text, .. }) = Frame::decode(&bytes) else {
        panic!("decodes")
    };
    assert!(text.starts_with("é é ") && text.len() <= MAX_TEXT);
}

proptest! {
    #[test]
    fn decoding_random_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(encoded(&frame), bytes);
        }
    }

    #[test]
    fn data_survives_the_wire(offset in 0..u64::MAX - 70_000, bytes in proptest::collection::vec(any::<u8>(), 1..5000)) {
        let frame = Frame::Data { offset, bytes: &bytes };
        let wire = encoded(&frame);
        prop_assert_eq!(Frame::decode(&wire), Ok(frame));
    }

    #[test]
    fn numbers_and_text_survive_the_wire(a: u64, code: u16, text in "[ -~é漢]{0,200}") {
        for frame in [Frame::Ping(a), Frame::Fin { offset: a }, Frame::Refused { code, text: &text }] {
            let wire = encoded(&frame);
            prop_assert_eq!(Frame::decode(&wire), Ok(frame));
        }
    }
}
