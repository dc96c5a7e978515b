//! Too long, too many, and lies: nothing that a server would run goes untold, and nothing grows without end.
//! PostgreSQL hangs up at a length below four; what comes after that never runs.

use super::*;

#[test]
fn a_huge_text_is_shortened_with_its_length_and_hash_and_costs_no_more() {
    let long = "x".repeat(1_000_000);
    let mut follower = Follower::new(KEEP);
    let mut events = Vec::new();

    for piece in simple_query(&long).chunks(4096) {
        follower.asked(piece, 0, &mut events);
        assert!(
            follower
                .body
                .as_ref()
                .is_none_or(|body| body.size() <= KEEP.text)
        );
    }

    let Event::Began(Began {
        text: Some(text), ..
    }) = &events[0]
    else {
        panic!("a text")
    };
    assert_eq!((text.kept.len(), text.bytes), (KEEP.text, 1_000_000));
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, long.as_bytes());
    assert_eq!(&text.sha256.unwrap()[..], hash.as_ref());
}

#[test]
fn lengths_that_lie_hide_nothing_that_a_server_would_run() {
    for (bytes, told) in [
        // Longer than its text: PostgreSQL refuses it. Without its zero byte, too.
        (
            message(b'Q', b"select 1\0; drop table t\0"),
            vec!["Query select 1: Cut"],
        ),
        (message(b'Q', b"select 1"), vec!["Query select 1: Cut"]),
        // A gigabyte that never comes was never run.
        (b"Q\x40\0\0\0select 1\0".to_vec(), vec![]),
        // PostgreSQL hangs up at this.
        (
            [b"Q\0\0\0\x03".to_vec(), simple_query("select 1")].concat(),
            vec![],
        ),
        (message(b'P', b"name without end"), vec!["Parse : Cut"]),
        (
            bare(b"PBECFDd"),
            vec!["Parse : Cut", "Execute of 1: Cut", "Function(0) ?: Cut"],
        ),
    ] {
        assert_eq!(story(&follow(&[Q(vec![bytes])])), told);
    }
}

#[test]
fn answers_that_make_no_sense_leave_every_statement_told_and_its_end_unknown() {
    let turns = [
        Q(vec![simple_query("select 1")]),
        A(vec![bare(b"1")]),
        Q(vec![simple_query("select 2"), parse("", "select 3")]),
        A(vec![done("SELECT 1"), ready()]),
    ];

    assert_eq!(
        story(&follow(&turns)),
        [
            "Query select 1: Unknown",
            "Query select 2: Unknown",
            "Parse select 3: Unknown"
        ]
    );
}

#[test]
fn what_was_expected_is_right_again_after_an_error() {
    let turns = [
        Q(vec![parse("a", "one"), sync(), parse("a", "two"), sync()]),
        A(vec![bare(b"1"), ready(), error("42P05"), ready()]),
        Q(vec![bind("", "a"), execute(""), sync()]),
    ];
    let events = follow(&turns);

    let Some(Event::Began(execute)) = events
        .iter()
        .rfind(|event| matches!(event, Event::Began(_)))
    else {
        panic!("an execute")
    };
    assert_eq!((execute.how, execute.of), (How::Execute, Some(1)));
}

#[test]
fn a_queue_without_answers_is_bounded() {
    let mut follower = Follower::new(KEEP);
    let mut events = Vec::new();
    let execute = execute("").repeat(100);

    for _ in 0..1000 {
        follower.asked(&execute, 0, &mut events);
    }

    assert_eq!(story_of_ends(&events), 100_000);
}

/// The server answers, and the program does not read: what waits is bounded by its bytes, and so are the values in it.
#[test]
fn what_waits_takes_no_more_than_its_bound_whatever_is_in_it() {
    let keep = Keep {
        text: 64,
        parameters: 8192,
        value: 256,
    };
    let long = "v".repeat(8000);
    let mut body = vec![0, 0, 0, 0, 0, 1];
    body.extend_from_slice(&8000_u32.to_be_bytes());
    body.extend_from_slice(long.as_bytes());
    let bind = message(b'B', &body);
    let mut follower = Follower::new(keep);
    let mut events = Vec::new();

    for _ in 0..65_536 {
        follower.asked(&bind, 0, &mut events);
        let (weight, values) = follower.queue.held();
        assert!(
            weight <= queue::MOST && values <= queue::VALUES,
            "{weight} {values}"
        );
    }

    assert!(follower.queue.is_lost() && follower.queue.held() == (0, 0));
    let few = Follower::new(Keep { value: 0, ..keep });
    assert_eq!(kept_by(few, &bind), 0);
    assert_eq!(kept_by(Follower::new(keep), &bind), 256);
}

fn kept_by(mut follower: Follower, bind: &[u8]) -> usize {
    let mut events = Vec::new();
    follower.asked(&[bind, &execute("")].concat(), 0, &mut events);
    let Some(Event::Began(Began {
        parameters: Some(all),
        ..
    })) = events.first()
    else {
        panic!("parameters")
    };
    assert_eq!(all.listed[0].length, Some(8000));
    all.listed[0].kept.len()
}

fn story_of_ends(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| {
            matches!(
                event,
                Event::Ended(Ended {
                    end: End::Unknown,
                    ..
                })
            )
        })
        .count()
}
