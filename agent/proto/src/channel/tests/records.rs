//! Records attacked: flipped, replayed, dropped, reordered, reflected, rekeyed on one side only.
//! One failure ends the direction for good, even for the record that would have been right.

use super::{super::*, Pair, suites};

fn sealed(sealer: &mut Sealer, text: &[u8]) -> Vec<u8> {
    let mut record = text.to_vec();
    sealer.seal_in_place(&mut record, 0).unwrap();
    record
}

fn opened(opener: &mut Opener, record: &[u8]) -> Result<Vec<u8>, ChannelError> {
    opener
        .open_in_place(&mut record.to_vec())
        .map(|text| text.to_vec())
}

/// One direction of a fresh channel.
fn direction(pair: &Pair) -> (Sealer, Opener) {
    let (ours, theirs) = pair.channels();
    (ours.sealer, theirs.opener)
}

#[test]
fn carries_records_of_every_size_that_fits() {
    for pair in suites() {
        let (mut sealer, mut opener) = direction(&pair);
        for length in [1, 2, 15, 16, 17, 16_384, MAX_PLAINTEXT] {
            let text = vec![0x5a; length];
            let record = sealed(&mut sealer, &text);
            assert_eq!(record.len(), length + TAG);
            assert_eq!(opened(&mut opener, &record), Ok(text));
        }
    }
}

#[test]
fn seals_behind_what_is_already_in_the_buffer() {
    let (mut sealer, mut opener) = direction(&Pair::new(Suite::Aes256Gcm));
    let mut out = b"length".to_vec();
    out.extend_from_slice(b"text");

    sealer.seal_in_place(&mut out, 6).unwrap();

    assert_eq!(&out[..6], b"length");
    assert_eq!(opened(&mut opener, &out[6..]), Ok(b"text".to_vec()));
}

#[test]
fn refuses_to_seal_nothing_or_too_much_and_goes_on() {
    let (mut sealer, mut opener) = direction(&Pair::new(Suite::Aes256Gcm));

    for length in [0, MAX_PLAINTEXT + 1] {
        let mut text = vec![0; length];
        assert_eq!(
            sealer.seal_in_place(&mut text, 0),
            Err(ChannelError::Plaintext)
        );
        assert_eq!(text.len(), length);
    }

    assert_eq!(
        opened(&mut opener, &sealed(&mut sealer, b"on")),
        Ok(b"on".to_vec())
    );
}

#[test]
fn rejects_a_flip_of_any_byte_of_a_record_and_everything_after_it() {
    for pair in suites() {
        let length = sealed(&mut direction(&pair).0, b"a record of some length").len();
        for i in 0..length {
            let (mut sealer, mut opener) = direction(&pair);
            let record = sealed(&mut sealer, b"a record of some length");
            let mut flipped = record.clone();
            flipped[i] ^= 1 << (i % 8);

            assert_eq!(opened(&mut opener, &flipped), Err(ChannelError::Rejected));
            assert_eq!(
                opened(&mut opener, &record),
                Err(ChannelError::Ended),
                "the right one comes too late"
            );
        }
    }
}

#[test]
fn rejects_a_record_that_is_repeated_dropped_or_moved() {
    for pair in suites() {
        for order in [&[0, 0][..], &[1], &[0, 2], &[0, 1, 0]] {
            let (mut sealer, mut opener) = direction(&pair);
            let records = [b"one", b"two", b"six"].map(|text| sealed(&mut sealer, text));
            let (wrong, right) = order.split_last().unwrap();

            for i in right {
                opened(&mut opener, &records[*i]).unwrap();
            }

            assert_eq!(
                opened(&mut opener, &records[*wrong]),
                Err(ChannelError::Rejected),
                "{order:?}"
            );
            assert_eq!(opened(&mut opener, &records[1]), Err(ChannelError::Ended));
        }
    }
}

#[test]
fn rejects_lengths_that_no_sealer_makes() {
    for length in [0, 1, 15, MAX_RECORD + 1] {
        let (_, mut opener) = direction(&Pair::new(Suite::Aes256Gcm));
        assert_eq!(
            opened(&mut opener, &vec![0; length]),
            Err(ChannelError::Rejected)
        );
        assert_eq!(opened(&mut opener, &[0; 32]), Err(ChannelError::Ended));
    }
    for length in [TAG, 17, MAX_RECORD] {
        let (_, mut opener) = direction(&Pair::new(Suite::Aes256Gcm));
        assert_eq!(
            opened(&mut opener, &vec![0; length]),
            Err(ChannelError::Rejected)
        );
    }
}

#[test]
fn rejects_our_own_record_sent_back() {
    for pair in suites() {
        let (mut ours, _theirs) = pair.channels();
        let record = sealed(&mut ours.sealer, b"mine");
        assert_eq!(
            opened(&mut ours.opener, &record),
            Err(ChannelError::Rejected)
        );
    }
}

#[test]
fn rejects_a_record_of_another_channel() {
    for pair in suites() {
        let (mut sealer, _) = direction(&pair);
        let (_, mut opener) = direction(&pair);
        assert_eq!(
            opened(&mut opener, &sealed(&mut sealer, b"x")),
            Err(ChannelError::Rejected)
        );
    }
}

#[test]
fn both_sides_rekey_when_one_says_so_and_the_old_key_is_worth_nothing() {
    for pair in suites() {
        let (mut sealer, mut opener) = direction(&pair);
        let mut announcement = Vec::new();
        sealer.rekey(&mut announcement).unwrap();
        let record = sealed(&mut sealer, b"under the new key");

        assert_eq!(opened(&mut opener, &announcement), Ok(vec![]));
        assert_eq!(
            opened(&mut opener, &record),
            Ok(b"under the new key".to_vec())
        );
    }
}

#[test]
fn rejects_a_rekey_of_one_side_only() {
    for pair in suites() {
        let (mut sealer, mut opener) = direction(&pair);
        sealer.rekey(&mut Vec::new()).unwrap();

        assert_eq!(
            opened(&mut opener, &sealed(&mut sealer, b"x")),
            Err(ChannelError::Rejected)
        );
    }
}

#[test]
fn both_sides_rekey_after_a_million_records_without_a_word() {
    for pair in suites() {
        let (mut sealer, mut opener) = direction(&pair);
        let mut record = Vec::with_capacity(32);
        for i in 0..REKEY_EVERY + 3 {
            record.clear();
            record.push(7);
            sealer.seal_in_place(&mut record, 0).unwrap();
            let opened = opener.open_in_place(&mut record).map(|text| text.len());
            assert_eq!(opened, Ok(1), "record {i}");
        }
    }
}
