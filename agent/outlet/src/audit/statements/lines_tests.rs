//! Words become lines: short ones together, huge ones in parts, and none too long for an audit.
//! Lines are measured as they are signed: base64 makes a third more of them than their JSON is.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::event::Chain;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::time::UnixTime;

use super::*;
use crate::config::{StatementSettings, WhenFull};

fn speaker(record: TextKept, parameters: ParametersKept) -> Arc<Speaker> {
    let settings = StatementSettings {
        record,
        parameters,
        when_full: WhenFull::Block,
    };
    Arc::new(Speaker {
        channel: "c".repeat(43),
        portal: 1,
        service: "warehouse".parse().unwrap(),
        sub: "00uana".parse().unwrap(),
        grant: None,
        settings,
    })
}

fn began(n: u64, kept: &[u8]) -> pg::Event {
    let text = pg::Text {
        kept: kept.to_vec(),
        bytes: kept.len() as u64,
        sha256: None,
    };
    pg::Event::Began(pg::Began {
        n,
        how: pg::How::Query,
        of: None,
        name: vec![],
        text: Some(text),
        parameters: None,
    })
}

fn ended(n: u64) -> pg::Event {
    pg::Event::Ended(pg::Ended {
        n,
        took: 5,
        rows: Some(1),
        end: pg::End::Done,
        of: None,
        parameters: None,
        completed: 0,
        rolled_back: false,
    })
}

fn heard(speaker: &Arc<Speaker>, events: Vec<pg::Event>) -> Heard {
    let words = events
        .into_iter()
        .map(|event| Word { at: 7, event })
        .collect();
    Heard {
        speaker: Arc::clone(speaker),
        missed: 0,
        words,
        bytes: 0,
    }
}

fn statements(heard: Vec<Heard>) -> Vec<Statements> {
    let of = |kind| match kind {
        EventKind::Statements(statements) => statements,
        other => panic!("{other:?}"),
    };
    events(heard).into_iter().map(of).collect()
}

fn told(record: TextKept, text: &[u8]) -> Asked {
    let speaker = speaker(record, ParametersKept::None);
    let lines = statements(vec![heard(&speaker, vec![began(1, text)])]);
    lines[0].said[0].asked.clone().unwrap()
}

#[test]
fn a_statement_and_its_end_are_one_word_and_many_are_one_line() {
    let speaker = speaker(TextKept::Text, ParametersKept::None);
    let both = |n| {
        vec![
            heard(&speaker, vec![began(n, b"select 1")]),
            heard(&speaker, vec![ended(n)]),
        ]
    };

    let lines = statements((1..=40).flat_map(both).collect());

    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].said.len(), 40);
    assert!(
        lines[0]
            .said
            .iter()
            .all(|said| said.asked.is_some() && said.ended.is_some())
    );
}

#[test]
fn what_was_missed_stands_where_it_is_missing() {
    let speaker = speaker(TextKept::Text, ParametersKept::None);
    let gap = Heard {
        missed: 9,
        ..heard(&speaker, vec![began(8, b"b")])
    };

    let lines = statements(vec![heard(&speaker, vec![began(1, b"a")]), gap]);

    let missed: Vec<_> = lines
        .iter()
        .map(|line| (line.missed, line.said[0].n))
        .collect();
    assert_eq!(missed, [(0, 1), (9, 8)]);
}

#[test]
fn no_line_is_too_long_and_no_text_is_lost() {
    let key = SigningKey::generate(&SystemEntropy);
    let mut chain = Chain::start(&"acme".parse().unwrap(), &key.verify_key());
    for text in [
        "x".repeat(65_536),
        "\u{1}".repeat(65_536),
        "\u{10ffff}\"".repeat(13_107),
    ] {
        let speaker = speaker(TextKept::Text, ParametersKept::None);

        let lines = statements(vec![heard(
            &speaker,
            vec![began(1, text.as_bytes()), ended(1)],
        )]);

        let said = lines.iter().flat_map(|line| &line.said);
        let whole: String = said
            .filter_map(|said| {
                said.asked
                    .as_ref()
                    .map_or(said.more.clone(), |asked| asked.text.clone())
            })
            .collect();
        assert_eq!(whole, text);
        for line in lines {
            let line = chain.append(UnixTime(0), EventKind::Statements(line), &key);
            assert!(line.line().len() <= MAX_LINE, "{}", line.line().len());
        }
    }
}

#[test]
fn a_redacted_text_has_no_literal_and_the_hash_of_what_was_sent() {
    let redacted = told(TextKept::Redacted, b"select 'secret'");
    assert_eq!(redacted.text.as_deref(), Some("select ?"));
    assert!(redacted.redacted && redacted.sha256.is_some());
    assert_eq!(redacted.bytes, Some(15));

    let doubtful = told(TextKept::Redacted, b"select 'secret");
    assert_eq!((doubtful.text, doubtful.bytes), (None, Some(14)));
    assert!(doubtful.sha256.is_some());

    let plain = told(TextKept::Text, b"select 'secret'");
    assert_eq!(
        (plain.text.as_deref(), plain.sha256, plain.bytes),
        (Some("select 'secret'"), None, None)
    );

    let odd = told(TextKept::Text, b"select '\xff'");
    assert!(
        odd.sha256.is_some(),
        "what cannot be shown as it was is known by its hash"
    );
}

#[test]
fn parameters_are_kept_as_far_as_the_owner_says() {
    let one = pg::Parameter {
        oid: 23,
        binary: true,
        length: Some(4),
        kept: vec![0, 0, 0, 42],
    };
    let all = pg::Parameters {
        count: 1,
        listed: vec![one],
    };

    assert_eq!(parameters(&all, ParametersKept::None), None);
    let types = parameters(&all, ParametersKept::Types)
        .unwrap()
        .listed
        .remove(0);
    assert_eq!(
        (types.oid, types.binary, types.bytes, types.value),
        (Some(23), true, Some(4), None)
    );
    let values = parameters(&all, ParametersKept::Values)
        .unwrap()
        .listed
        .remove(0);
    assert_eq!(values.value.as_deref(), Some("0000002a"));
}
