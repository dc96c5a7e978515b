//! What well-behaved and less well-behaved programs do, and what is told of it.
//! The server's answers are PostgreSQL's own, in its own order.

use super::*;

#[test]
fn a_simple_query_is_told_whole_with_all_its_statements_and_their_rows() {
    let turns = [
        Q(vec![simple_query("select 1; drop table t")]),
        A(vec![
            bare(b"T"),
            message(b'D', b"\0\0"),
            done("SELECT 1"),
            done("DROP TABLE"),
            ready(),
        ]),
        Q(vec![
            simple_query("select 1/0; select 2"),
            simple_query(""),
            simple_query("select 3"),
        ]),
        A(vec![
            error("22012"),
            ready(),
            bare(b"I"),
            ready(),
            done("SELECT 7"),
        ]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Query select 1; drop table t: Done 1",
            "Query select 1/0; select 2: 22012",
            "Query : Done",
            "Query select 3: Cut 7",
        ]
    );
}

#[test]
fn a_text_that_is_parsed_once_is_referred_to_each_time_it_runs() {
    let turns = [
        Q(vec![
            parse("s", "select $1"),
            message(b'D', b"Ss\0"),
            sync(),
        ]),
        A(vec![bare(b"1tn"), ready()]),
        Q(vec![
            bind("", "s"),
            execute(""),
            bind("", "s"),
            execute(""),
            sync(),
        ]),
        A(vec![
            bare(b"2"),
            done("SELECT 1"),
            bare(b"2"),
            bare(b"s"),
            ready(),
        ]),
    ];
    let events = follow(&turns);

    assert_eq!(
        story(&events),
        [
            "Parse select $1: Done",
            "Execute of 1: Done 1",
            "Execute of 1: Suspended 0"
        ]
    );
    let parameters = events.iter().find_map(|event| match event {
        Event::Began(Began {
            how: How::Execute,
            parameters,
            ..
        }) => parameters.clone(),
        _ => None,
    });
    let parameters = parameters.unwrap();
    assert_eq!((parameters.count, parameters.listed.len()), (1, 1));
    assert_eq!(
        (parameters.listed[0].oid, &parameters.listed[0].kept[..]),
        (23, &b"42"[..])
    );
}

#[test]
fn an_error_in_a_pipeline_ends_one_and_skips_the_rest_up_to_its_sync() {
    let turns = [
        Q(vec![
            parse("", "insert"),
            bind("", ""),
            execute(""),
            parse("", "bad"),
            bind("", ""),
            execute(""),
            simple_query("select 'skipped too'"),
            sync(),
            parse("", "after"),
            bind("", ""),
            execute(""),
            sync(),
        ]),
        A(vec![
            bare(b"12"),
            done("INSERT 0 3"),
            error("42601"),
            ready(),
            bare(b"12"),
            done("SELECT 0"),
            ready(),
        ]),
        Q(vec![parse("", "late"), bind("", ""), execute("")]),
        A(vec![error("42601")]),
        Q(vec![execute(""), sync()]),
        A(vec![ready()]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Parse insert: Done",
            "Execute of 1: Done 3",
            "Parse bad: 42601",
            "Execute of 3: Skipped",
            "Query select 'skipped too': Skipped",
            "Parse after: Done",
            "Execute of 6: Done 0",
            "Parse late: 42601",
            "Execute of 8: Skipped",
            "Execute ?: Skipped",
        ]
    );
}

#[test]
fn a_name_that_could_not_be_taken_again_still_stands_for_what_it_was() {
    let turns = [
        Q(vec![parse("s", "drop table t"), sync()]),
        A(vec![bare(b"1"), ready()]),
        Q(vec![
            parse("s", "select 1"),
            sync(),
            bind("", "s"),
            execute(""),
            sync(),
        ]),
        A(vec![
            error("42P05"),
            ready(),
            bare(b"2"),
            done("DROP TABLE"),
            ready(),
        ]),
        Q(vec![bind("p", "s"), execute("p"), sync()]),
        A(vec![bare(b"2"), done("DROP TABLE"), ready()]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Parse drop table t: Done",
            "Parse select 1: 42P05",
            "Execute of 1: Done",
            "Bind of 1: Done",
            "Execute of 4: Done",
        ]
    );
}

#[test]
fn names_are_compared_as_postgresql_does_and_an_unknown_one_is_told_as_unknown() {
    let long = "n".repeat(63);
    let turns = [
        Q(vec![parse(&format!("{long}a"), "one"), sync()]),
        A(vec![bare(b"1"), ready()]),
        Q(vec![
            bind("", &format!("{long}b")),
            execute(""),
            execute("cursor of sql"),
            sync(),
        ]),
        A(vec![bare(b"2"), done("SELECT 1"), done("FETCH 2"), ready()]),
        Q(vec![
            message(b'C', format!("S{long}\0").as_bytes()),
            bind("", &long),
            execute(""),
            sync(),
        ]),
        A(vec![bare(b"3"), error("26000"), ready()]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Parse one: Done",
            "Execute of 1: Done 1",
            "Execute ?: Done 2",
            "Execute ?: Skipped"
        ]
    );
}

#[test]
fn a_copys_data_is_no_statement_and_its_ends_belong_to_it() {
    let data = || message(b'd', b"Q\0\0\0\x10drop table t\0");
    let turns = [
        Q(vec![simple_query("copy t from stdin")]),
        A(vec![bare(b"G")]),
        Q(vec![
            data(),
            sync(),
            data(),
            bare(b"c"),
            simple_query("select 1"),
        ]),
        A(vec![done("COPY 2"), ready(), done("SELECT 1"), ready()]),
        Q(vec![bind("", ""), execute(""), sync()]),
        A(vec![bare(b"2G")]),
        Q(vec![data(), bare(b"c"), sync()]),
        A(vec![done("COPY 1"), ready()]),
        Q(vec![simple_query("copy t to stdout")]),
        A(vec![
            bare(b"H"),
            data(),
            bare(b"c"),
            done("COPY 1"),
            ready(),
        ]),
        Q(vec![
            simple_query("copy a from stdin; copy b from stdin"),
            data(),
            bare(b"c"),
            data(),
            bare(b"cccf"),
            simple_query("drop table t"),
        ]),
        A(vec![
            bare(b"G"),
            done("COPY 1"),
            bare(b"G"),
            error("22P02"),
            ready(),
            done("DROP TABLE"),
            ready(),
        ]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Query copy t from stdin: Done 2",
            "Query select 1: Done 1",
            "Execute ?: Done 1",
            "Query copy t to stdout: Done 1",
            "Query copy a from stdin; copy b from stdin: 22P02 1 after 1",
            "Query drop table t: Done",
        ]
    );
}

#[test]
fn what_comes_amid_a_copy_is_told_and_nobody_claims_to_know_whether_it_ran() {
    let copy = || {
        Q(vec![
            simple_query("copy t from stdin"),
            simple_query("drop table t"),
        ])
    };
    for turns in [
        // It broke the copy and was dropped with it, or the data did and it ran.
        [copy(), A(vec![bare(b"G"), error("08P01"), ready()])],
        [
            copy(),
            A(vec![
                bare(b"G"),
                error("22P02"),
                ready(),
                done("DROP TABLE"),
                ready(),
            ]),
        ],
    ] {
        assert_eq!(
            story(&follow(&turns)),
            [
                "Query copy t from stdin: Unknown",
                "Query drop table t: Unknown"
            ]
        );
    }
}

#[test]
fn an_answer_that_belongs_to_another_is_not_taken_for_an_end() {
    let turns = [
        Q(vec![simple_query("drop table t")]),
        A(vec![ready()]),
        A(vec![error("42P01"), ready()]),
    ];

    assert_eq!(story(&follow(&turns)), ["Query drop table t: Unknown"]);
}

#[test]
fn a_batch_that_fails_at_its_end_and_a_function_call_are_told() {
    let call = [
        &[0, 0, 0x06, 0x3e][..],
        &[0, 0, 0, 1, 0, 0, 0, 1, b'7', 0, 0],
    ]
    .concat();
    let turns = [
        Q(vec![
            parse("", "insert"),
            bind("", ""),
            execute(""),
            sync(),
            message(b'F', &call),
        ]),
        A(vec![
            bare(b"12"),
            done("INSERT 0 1"),
            error("23503"),
            ready(),
            bare(b"V"),
            ready(),
        ]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Parse insert: Done",
            "Execute of 1: Done 1",
            "Function(1598) ?: Done",
            "Sync of 1: 23503"
        ]
    );
}
