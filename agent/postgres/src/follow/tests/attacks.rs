//! What somebody sends who wants the record to name another statement, or another end, than the one that ran.
//! Each flight is answered as PostgreSQL answers it; nothing wrong may be told without saying that it is not known.

use super::*;
use crate::follow::names;

#[test]
fn a_flush_or_sync_with_a_body_is_not_followed_any_further() {
    for tag in *b"HS" {
        let turns = [
            Q(vec![message(tag, b"\0"), simple_query("select 2"), sync()]),
            A(vec![error("08P01"), ready()]),
            Q(vec![simple_query("select 1/0")]),
            A(vec![error("22012"), ready()]),
            Q(vec![simple_query("delete from pay")]),
            A(vec![done("DELETE 4711"), ready()]),
        ];

        assert_eq!(
            story(&follow(&turns)),
            [
                "Query select 2: Unknown",
                "Query select 1/0: Unknown",
                "Query delete from pay: Unknown"
            ]
        );
    }
}

#[test]
fn after_the_thread_is_lost_nothing_is_said_to_run_what_was_known_before() {
    let turns = [
        Q(vec![
            parse("", "select 1"),
            bind("", ""),
            execute(""),
            sync(),
        ]),
        A(vec![bare(b"12"), done("SELECT 1"), ready_in_transaction()]),
        Q(vec![execute(""), simple_query("select 2")]),
        A(vec![bare(b"1")]),
        Q(vec![
            parse("", "delete from pay"),
            bind("", ""),
            execute(""),
            sync(),
        ]),
    ];
    let events = follow(&turns);

    assert_eq!(
        story(&events),
        [
            "Parse select 1: Done",
            "Execute of 1: Done 1",
            "Execute of 0: Unknown",
            "Query select 2: Unknown",
            "Parse delete from pay: Unknown",
            "Bind ?: Unknown",
            "Execute ?: Unknown",
        ]
    );
    let bound = events.iter().find_map(|event| match event {
        Event::Began(began) if began.how == How::Bind => began.parameters.clone(),
        _ => None,
    });
    assert_eq!(&bound.unwrap().listed[0].kept[..], b"42");
}

#[test]
fn what_is_expected_and_then_not_known_is_corrected_to_not_known() {
    let names = || (0..names::MOST).map(|i| format!("n{i}"));
    let full: Vec<u8> = names().flat_map(|name| parse(&name, "select 0")).collect();
    let close = message(b'C', b"Sn1\0");
    let turns = [
        Q(vec![full, sync()]),
        A(vec![bare(&vec![b'1'; names::MOST]), ready()]),
        Q(vec![parse("x", "delete from pay"), sync()]),
        A(vec![bare(b"1"), ready()]),
        Q(vec![
            close,
            parse("x", "select 1"),
            sync(),
            bind("", "x"),
            execute(""),
            sync(),
        ]),
        A(vec![
            bare(b"3"),
            error("42P05"),
            ready(),
            bare(b"2"),
            done("DELETE 4711"),
            ready(),
        ]),
    ];

    let told = story(&follow(&turns));

    assert_eq!(told.last().unwrap(), "Execute of 0: Done 4711");
}

#[test]
fn what_follows_a_broken_copy_in_which_a_sync_came_is_not_called_skipped() {
    let begun = || {
        vec![
            Q(vec![
                parse("", "copy t from stdin"),
                bind("", ""),
                execute(""),
            ]),
            A(vec![bare(b"12G")]),
        ]
    };
    let bad = || message(b'd', b"bad row\n");
    let runs = || A(vec![ready(), done("DELETE 4711"), ready()]);
    // Sent when the error has come, and in one flight with what breaks the copy.
    let later = [
        Q(vec![bad(), sync()]),
        A(vec![error("22P02")]),
        Q(vec![simple_query("delete from pay")]),
        runs(),
    ];
    let at_once = [
        Q(vec![
            bad(),
            sync(),
            bare(b"c"),
            simple_query("delete from pay"),
            sync(),
        ]),
        A(vec![error("22P02")]),
        runs(),
    ];
    for turns in [
        begun().into_iter().chain(later).collect::<Vec<_>>(),
        begun().into_iter().chain(at_once).collect(),
    ] {
        assert_eq!(
            story(&follow(&turns)),
            [
                "Parse copy t from stdin: Done",
                "Execute of 1: 22P02",
                "Query delete from pay: Unknown"
            ]
        );
    }
}

/// As tokio-postgres copies: its first Sync always comes amid the copy.
#[test]
fn a_copy_that_fails_in_a_driver_that_sends_a_sync_before_its_data_is_followed_on() {
    let turns = [
        Q(vec![
            parse("", "copy t from stdin"),
            bind("", ""),
            execute(""),
            sync(),
        ]),
        A(vec![bare(b"12G")]),
        Q(vec![message(b'd', b"bad row\n"), bare(b"c"), sync()]),
        A(vec![error("22P02"), ready()]),
        Q(vec![simple_query("select 1")]),
        A(vec![done("SELECT 1"), ready()]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Parse copy t from stdin: Done",
            "Execute of 1: 22P02",
            "Query select 1: Done 1"
        ]
    );
}

fn bind_values(statement: &str, values: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, b"");
    push_text(&mut body, statement.as_bytes());
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&count);
    for value in values {
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    body.extend_from_slice(&[0, 0]);
    message(b'B', &body)
}

fn values(parameters: Option<&Arc<Parameters>>) -> Vec<Vec<u8>> {
    let listed = parameters.map_or(&[][..], |all| &all.listed);
    listed.iter().map(|one| one.kept.clone()).collect()
}

#[test]
fn parameters_that_were_not_those_told_are_corrected() {
    let turns = [
        Q(vec![simple_query("begin")]),
        A(vec![done("BEGIN"), ready_in_transaction()]),
        Q(vec![
            parse("", "insert into pay values($1)"),
            bind_values("", &[b"secret"]),
            sync(),
        ]),
        A(vec![bare(b"12"), ready_in_transaction()]),
        // Refused for its count, and before the old portal is replaced.
        Q(vec![
            bind_values("", &[b"benign", b"benign"]),
            sync(),
            execute(""),
            sync(),
        ]),
        A(vec![
            error("08P01"),
            ready_in_transaction(),
            done("INSERT 0 1"),
            ready_in_transaction(),
        ]),
    ];
    let events = follow(&turns);

    assert_eq!(story(&events).last().unwrap(), "Execute of 2: Done 1");
    let told = events.iter().rev().find_map(|event| match event {
        Event::Began(began) => Some(values(began.parameters.as_ref())),
        Event::Ended(_) => None,
    });
    let really = events.iter().rev().find_map(|event| match event {
        Event::Ended(ended) => Some(values(ended.parameters.as_ref())),
        Event::Began(_) => None,
    });
    assert_eq!(told.unwrap(), [b"benign", b"benign"]);
    assert_eq!(really.unwrap(), [b"secret"]);
}

#[test]
fn more_formats_than_are_looked_at_leave_the_number_of_parameters() {
    let formats = [&5000_u16.to_be_bytes()[..], &[0; 10_000]].concat();

    let read = Parameters::read(&formats[..64], &[], 64).unwrap();

    assert_eq!((read.count, read.listed.len()), (5000, 0));
}

#[test]
fn a_prepared_statement_that_sql_put_in_anothers_place_is_not_known() {
    let turns = [
        Q(vec![parse("s", "select 1"), parse("t", "select 2"), sync()]),
        A(vec![bare(b"11"), ready()]),
        Q(vec![simple_query("deallocate t")]),
        A(vec![done("DEALLOCATE"), ready()]),
        Q(vec![bind("", "s"), execute(""), sync()]),
        A(vec![bare(b"2"), done("SELECT 1"), ready()]),
        Q(vec![
            simple_query("deallocate s; prepare s as delete from pay"),
            bind("", "s"),
            execute(""),
            sync(),
        ]),
        A(vec![
            done("DEALLOCATE"),
            done("PREPARE"),
            ready(),
            bare(b"2"),
            done("DELETE 4711"),
            ready(),
        ]),
        Q(vec![bind("", "s"), execute(""), sync()]),
        A(vec![bare(b"2"), done("DELETE 9"), ready()]),
    ];

    let told = story(&follow(&turns));

    assert_eq!(
        told[3..],
        [
            "Execute of 1: Done 1",
            "Query deallocate s; prepare s as delete from pay: Done",
            "Execute of 0: Done 4711",
            "Execute ?: Done 9",
        ]
    );
}

#[test]
fn a_portal_ends_with_its_transaction_and_a_cursor_may_have_its_name_then() {
    let declare = "declare c cursor for select * from pay";
    let turns = [
        Q(vec![parse("s", "select 1"), bind("c", "s"), sync()]),
        A(vec![bare(b"12"), ready()]),
        Q(vec![simple_query("begin")]),
        A(vec![done("BEGIN"), ready_in_transaction()]),
        Q(vec![execute("c"), sync()]),
        A(vec![error("34000"), ready()]),
        Q(vec![simple_query("begin"), bind("c", "s"), sync()]),
        A(vec![
            done("BEGIN"),
            ready_in_transaction(),
            bare(b"2"),
            ready_in_transaction(),
        ]),
        Q(vec![simple_query(&format!("close c; {declare}"))]),
        A(vec![
            done("CLOSE CURSOR"),
            done("DECLARE CURSOR"),
            ready_in_transaction(),
        ]),
        Q(vec![execute("c"), sync()]),
        A(vec![done("FETCH 9"), ready_in_transaction()]),
    ];

    let told = story(&follow(&turns));

    assert_eq!(told[3], "Execute ?: 34000");
    assert_eq!(told.last().unwrap(), "Execute ?: Done 9");
}

#[test]
fn a_portal_that_was_bound_before_the_last_transactions_end_was_heard_of_is_known() {
    let turns = [
        Q(vec![parse("s", "select 1"), sync()]),
        A(vec![bare(b"1"), ready()]),
        Q(vec![simple_query("select 2"), bind("c", "s"), bare(b"H")]),
        A(vec![done("SELECT 1"), ready(), bare(b"2")]),
        Q(vec![execute("c"), sync()]),
        A(vec![done("SELECT 1"), ready()]),
    ];
    let events = follow(&turns);

    assert_eq!(story(&events).last().unwrap(), "Execute of 3: Done 1");
    let Some(Event::Ended(last)) = events.last() else {
        panic!("an end")
    };
    assert_eq!(last.of, None, "it was known when it began");
}

#[test]
fn a_failed_text_says_how_many_of_its_statements_were_done_before() {
    let turns = [
        Q(vec![simple_query("delete from pay; commit; select 1/0")]),
        A(vec![
            done("DELETE 4711"),
            done("COMMIT"),
            error("22012"),
            ready(),
        ]),
        Q(vec![simple_query("commit")]),
        A(vec![done("ROLLBACK"), ready()]),
    ];
    let events = follow(&turns);

    assert_eq!(
        story(&events),
        [
            "Query delete from pay; commit; select 1/0: 22012 4711 after 2",
            "Query commit: Done"
        ]
    );
    let Some(Event::Ended(last)) = events.last() else {
        panic!("an end")
    };
    assert!(last.rolled_back);
}
