//! The shape of statements in an audit, which is kept for ever.
//! A test that has to be changed here means that old files cannot be read any more.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{NOW, key, org, warehouse};
use crate::text::Shown;
use serde_json::json;

fn statements(said: Vec<Said>) -> Statements {
    Statements {
        channel: "c".into(),
        portal: 7,
        service: warehouse(),
        sub: "00uana".parse().unwrap(),
        grant: None,
        missed: 0,
        said,
    }
}

fn query() -> Asked {
    Asked {
        at: 1_700_000_000_123,
        how: How::Query,
        of: None,
        name: None,
        function: None,
        text: Some("select 1".into()),
        redacted: false,
        bytes: None,
        sha256: None,
        parameters: None,
    }
}

fn done() -> Ended {
    Ended {
        how: Outcome::Done,
        microseconds: 250,
        rows: Some(1),
        code: None,
        of: None,
        parameters: None,
        completed: 0,
        rolled_back: false,
    }
}

fn shape(what: Statements) -> serde_json::Value {
    let kind = EventKind::Statements(what);
    let value = serde_json::to_value(&kind).unwrap();
    assert_eq!(
        serde_json::from_value::<EventKind>(value.clone()).unwrap(),
        kind
    );
    value
}

#[test]
fn a_plain_query_is_short() {
    let said = Said {
        n: 1,
        asked: Some(query()),
        more: None,
        ended: Some(done()),
    };

    assert_eq!(
        shape(statements(vec![said])),
        json!({
            "kind": "statements", "channel": "c", "portal": 7, "service": "warehouse", "sub": "00uana",
            "said": [{
                "n": 1,
                "asked": {"at": 1_700_000_000_123_u64, "how": "query", "text": "select 1"},
                "ended": {"how": "done", "microseconds": 250, "rows": 1},
            }],
        })
    );
}

#[test]
fn everything_that_can_be_said_has_its_name() {
    let parameter = Parameter {
        oid: Some(23),
        binary: true,
        bytes: Some(4),
        value: Some("0000002a".into()),
    };
    let null = Parameter {
        oid: None,
        binary: false,
        bytes: None,
        value: None,
    };
    let asked = Asked {
        how: How::Execute,
        of: Some(3),
        name: Some(Shown::new("p1")),
        function: Some(1598),
        redacted: true,
        bytes: Some(1 << 30),
        sha256: Some(Digest::of_bytes([7; 32])),
        parameters: Some(Parameters {
            count: 9,
            listed: vec![parameter, null],
        }),
        ..query()
    };
    let ended = Ended {
        how: Outcome::Failed,
        code: Some(Shown::new("22012")),
        of: Some(2),
        rows: None,
        parameters: Some(Parameters {
            count: 3,
            listed: vec![],
        }),
        completed: 5,
        rolled_back: true,
        ..done()
    };
    let said = vec![
        Said {
            n: 4,
            asked: Some(asked),
            more: None,
            ended: None,
        },
        Said {
            n: 4,
            asked: None,
            more: Some(" from t".into()),
            ended: None,
        },
        Said {
            n: 4,
            asked: None,
            more: None,
            ended: Some(ended),
        },
    ];
    let what = Statements {
        missed: 12,
        ..statements(said)
    };

    assert_eq!(
        shape(what),
        json!({
            "kind": "statements", "channel": "c", "portal": 7, "service": "warehouse", "sub": "00uana", "missed": 12,
            "said": [
                {"n": 4, "asked": {
                    "at": 1_700_000_000_123_u64, "how": "execute", "of": 3, "name": "p1", "function": 1598,
                    "text": "select 1", "redacted": true, "bytes": 1_073_741_824_u64,
                    "sha256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
                    "parameters": {"count": 9, "listed": [
                        {"oid": 23, "binary": true, "bytes": 4, "value": "0000002a"},
                        {"bytes": null},
                    ]},
                }},
                {"n": 4, "more": " from t"},
                {"n": 4, "ended": {
                    "how": "failed", "microseconds": 250, "code": "22012", "of": 2,
                    "parameters": {"count": 3, "listed": []}, "completed": 5, "rolled_back": true,
                }},
            ],
        })
    );
}

#[test]
fn every_way_to_come_and_to_end_has_its_word() {
    for (how, word) in [
        (How::Startup, "startup"),
        (How::Query, "query"),
        (How::Parse, "parse"),
        (How::Bind, "bind"),
        (How::Execute, "execute"),
        (How::Function, "function"),
        (How::Sync, "sync"),
    ] {
        assert_eq!(serde_json::to_value(how).unwrap(), word);
    }
    for (how, word) in [
        (Outcome::Done, "done"),
        (Outcome::Suspended, "suspended"),
        (Outcome::Failed, "failed"),
        (Outcome::Skipped, "skipped"),
        (Outcome::Cut, "cut"),
        (Outcome::Unknown, "unknown"),
    ] {
        assert_eq!(serde_json::to_value(how).unwrap(), word);
    }
}

#[test]
fn what_is_said_about_the_record_itself_has_its_names_and_an_older_mark_is_still_read() {
    let unnamed = EventKind::StatementsNotListed {
        count: 3,
        channel: None,
        portal: None,
        sub: None,
    };
    let named = EventKind::StatementsNotListed {
        count: 3,
        channel: Some("c".into()),
        portal: Some(7),
        sub: Some("00uana".parse().unwrap()),
    };
    let recorded = EventKind::StatementsRecorded {
        service: warehouse(),
        how: "record text".into(),
    };
    for (kind, value) in [
        (
            unnamed,
            json!({"kind": "statements-not-listed", "count": 3}),
        ),
        (
            named,
            json!({"kind": "statements-not-listed", "count": 3, "channel": "c", "portal": 7, "sub": "00uana"}),
        ),
        (
            recorded,
            json!({"kind": "statements-recorded", "service": "warehouse", "how": "record text"}),
        ),
    ] {
        assert_eq!(serde_json::to_value(&kind).unwrap(), value);
        assert_eq!(serde_json::from_value::<EventKind>(value).unwrap(), kind);
    }
}

#[test]
fn a_statement_is_one_line_of_an_audit_whatever_is_in_it() {
    let keeper = key(4);
    let text = "select '\n{\"kind\":\"stopped\"}\u{202e}\0'";
    let asked = Asked {
        text: Some(text.into()),
        ..query()
    };
    let said = Said {
        n: 1,
        asked: Some(asked),
        more: None,
        ended: None,
    };
    let mut chain = Chain::start(&org(), &keeper.verify_key());

    let appended = chain.append(NOW, EventKind::Statements(statements(vec![said])), &keeper);

    assert!(appended.line().bytes().all(|byte| byte.is_ascii_graphic()));
    let read = Verifier::new(&org(), &keeper.verify_key()).line(appended.line().as_bytes());
    let EventKind::Statements(read) = read.unwrap().what else {
        panic!("another kind")
    };
    assert_eq!(
        read.said[0].asked.as_ref().unwrap().text.as_deref(),
        Some(text)
    );
}
