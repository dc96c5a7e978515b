//! Any messages in any order and cutting.
//! The events must not depend on where the stream was cut.

use proptest::prelude::*;

use super::*;

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(b"QPBECFDSHdcfX".to_vec());
    (
        tag,
        prop::collection::vec(prop::sample::select(b"\0ab\x01".to_vec()), 0..90),
    )
        .prop_map(|(tag, body)| message(tag, &body))
}

fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(b"123CDEGHITVZNnstc".to_vec());
    (tag, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(tag, body)| message(tag, &body))
}

fn any_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        prop::collection::vec(any_message(), 0..8).prop_map(Q),
        prop::collection::vec(any_answer(), 0..8).prop_map(A),
    ]
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Q(bytes) | A(bytes)) = self;
        write!(f, "{bytes:?}")
    }
}

proptest! {
    #[test]
    fn any_cutting_tells_the_same_and_everything_that_began_ends_once(
        turns in prop::collection::vec(any_turn(), 0..12),
        cuts in prop::collection::vec(1_usize..30, 1..50),
    ) {
        let whole = follow(&turns);
        prop_assert_eq!(&whole, &cut(&turns, &cuts));

        let asked = turns.iter().filter_map(|turn| match turn {
            Q(messages) => Some(messages),
            A(_) => None,
        });
        let texts = asked.flatten().filter(|message| matches!(message[0], b'Q' | b'P' | b'E' | b'F')).count();
        let began = |event: &&Event| matches!(event, Event::Began(Began { how: How::Query | How::Parse | How::Execute | How::Function(_), .. }));
        prop_assert_eq!(whole.iter().filter(began).count(), texts);
        story(&whole);
    }

    #[test]
    fn random_bytes_never_panic(asked in prop::collection::vec(any::<u8>(), 0..300), answered in prop::collection::vec(any::<u8>(), 0..300)) {
        story(&follow(&[Q(vec![asked]), A(vec![answered])]));
    }
}
