//! The last word: always between two messages, however the stream is cut.
use proptest::prelude::*;

use super::*;
use crate::message::push;
use crate::report::{Report, SqlState};

fn rows(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for body in bodies {
        push(&mut out, b'D', |into| into.extend_from_slice(body));
    }
    push(&mut out, b'Z', |into| into.push(b'I'));
    out
}

fn words() -> Vec<u8> {
    Report::fatal(SqlState::ADMIN_SHUTDOWN, "you disconnected").encode()
}

/// Plays both sockets: what the server says comes in pieces, the client takes it in other pieces,
/// and after `speak_after` steps somebody has a last word.
fn play(outflow: &mut Outflow, server: &[u8], pieces: &[usize], speak_after: usize) -> Vec<u8> {
    let (mut got, mut said) = (Vec::new(), 0);
    for (step, piece) in pieces.iter().cycle().enumerate() {
        if step == speak_after {
            outflow.finish_with(words());
        }
        let pending = outflow.pending();
        if !pending.is_empty() {
            let count = (*piece).min(pending.len());
            got.extend_from_slice(&pending[..count]);
            outflow.written(count);
        } else if outflow.is_over() {
            return got;
        } else if said == server.len() {
            outflow.server_ended();
            if outflow.pending().is_empty() {
                return got;
            }
        } else {
            let space = outflow.space();
            let count = (*piece).min(space.len()).min(server.len() - said);
            space[..count].copy_from_slice(&server[said..said + count]);
            said += count;
            outflow.filled(count);
        }
    }
    unreachable!("steps never end");
}

#[test]
fn a_last_word_waits_for_the_end_of_the_row_under_way() {
    let server = rows(&[vec![1; 100], vec![2; 100]]);
    let mut outflow = Outflow::starting_with(server.clone());
    outflow.written(50);

    outflow.finish_with(words());

    assert_eq!(outflow.pending(), &server[50..105]);
    outflow.written(55);
    assert_eq!(outflow.pending(), words());
    outflow.written(words().len());
    assert!(outflow.is_over() && outflow.has_spoken());
}

#[test]
fn reads_only_what_the_row_under_way_still_needs() {
    let server = rows(&[vec![1; 100]]);
    let mut outflow = Outflow::starting_with(server[..3].to_vec());
    outflow.written(3);

    outflow.finish_with(words());

    assert_eq!(outflow.space().len(), 2, "the rest of the header");
    outflow.space().copy_from_slice(&server[3..5]);
    outflow.filled(2);
    outflow.written(2);
    assert_eq!(outflow.space().len(), 100, "the body");
}

#[test]
fn a_short_row_that_was_cut_off_is_kept_and_the_words_come_in_its_place() {
    let server = rows(&[vec![1; 100], vec![2; 100]]);
    let mut outflow = Outflow::starting_with(server[..150].to_vec());
    assert_eq!(outflow.pending(), &server[..105]);
    outflow.written(105);

    outflow.finish_with(words());

    assert_eq!(outflow.pending(), words());
}

#[test]
fn a_short_row_that_was_cut_off_goes_with_its_rest() {
    let server = rows(&[vec![1; 100]]);
    let mut outflow = Outflow::starting_with(server[..50].to_vec());
    assert_eq!(outflow.pending(), b"");

    outflow.space()[..61].copy_from_slice(&server[50..]);
    outflow.filled(61);

    assert_eq!(outflow.pending(), server);
}

#[test]
fn a_long_row_passes_as_it_comes() {
    let server = rows(&[vec![1; KEPT]]);

    let outflow = Outflow::starting_with(server[..50].to_vec());

    assert_eq!(outflow.pending(), &server[..50]);
}

#[test]
fn an_idle_connection_hears_it_at_once() {
    let mut outflow = Outflow::starting_with(vec![]);

    outflow.finish_with(words());

    assert_eq!(outflow.pending(), words());
}

#[test]
fn the_first_reason_wins() {
    let mut outflow = Outflow::starting_with(vec![]);

    outflow.finish_with(words());
    outflow.finish_with(b"later".to_vec());

    assert_eq!(outflow.pending(), words());
}

#[test]
fn a_row_that_never_ends_is_not_spoken_into() {
    let mut outflow = Outflow::starting_with(b"D\0\0\0\x10half".to_vec());
    outflow.written(9);

    outflow.finish_with(words());

    assert_eq!(outflow.pending(), b"");
    assert!(!outflow.is_over() && !outflow.has_spoken());
}

#[test]
fn knows_whether_the_server_went_with_an_error() {
    let mut outflow = Outflow::starting_with([rows(&[]), words()].concat());

    outflow.written(6);
    assert!(!outflow.ends_with_an_error());
    outflow.written(words().len());
    assert!(outflow.ends_with_an_error());
}

#[test]
fn counts_ready_for_query() {
    let mut outflow = Outflow::starting_with(rows(&[vec![b'Z'; 30]]));
    outflow.written(20);
    assert_eq!(outflow.ready_for_query(), 0);

    outflow.written(21);

    assert_eq!(outflow.ready_for_query(), 1);
}

/// Whether `bytes` are whole rows of `server` followed by the words.
fn is_whole_rows_and_words(bytes: &[u8], server: &[u8]) -> bool {
    let Some(rows) = bytes.strip_suffix(&words()[..]) else {
        return false;
    };
    let mut boundary = Boundary::default();
    boundary.walk(rows, |_| ());
    server.starts_with(rows) && boundary.is_between_messages()
}

proptest! {
    #[test]
    fn undisturbed_every_byte_arrives_however_it_is_cut(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12),
        pieces in prop::collection::vec(1_usize..40, 1..30),
    ) {
        let server = rows(&bodies);
        let mut outflow = Outflow::starting_with(vec![]);

        let got = play(&mut outflow, &server, &pieces, usize::MAX);

        prop_assert_eq!(got, server);
        prop_assert_eq!(outflow.ready_for_query(), 1);
    }

    #[test]
    fn whenever_it_is_ended_the_client_gets_whole_rows_and_then_the_words(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..12),
        pieces in prop::collection::vec(1_usize..40, 1..30),
        speak_after in 0_usize..60,
    ) {
        let server = rows(&bodies);
        let mut outflow = Outflow::starting_with(vec![]);

        let got = play(&mut outflow, &server, &pieces, speak_after);

        let undisturbed = got == server && !outflow.has_spoken();
        prop_assert!(undisturbed || is_whole_rows_and_words(&got, &server), "{:?}", got);
    }

    #[test]
    fn random_bytes_pass_unchanged_and_never_panic(
        server in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(1_usize..40, 1..30),
    ) {
        let mut outflow = Outflow::starting_with(vec![]);

        let got = play(&mut outflow, &server, &pieces, usize::MAX);

        prop_assert_eq!(got, server);
    }

    #[test]
    fn random_bytes_that_are_ended_never_panic(
        server in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(1_usize..40, 1..30),
        speak_after in 0_usize..40,
    ) {
        let mut outflow = Outflow::starting_with(vec![]);

        let got = play(&mut outflow, &server, &pieces, speak_after);

        let heard = got.strip_suffix(&words()[..]).unwrap_or(&got);
        prop_assert!(server.starts_with(heard));
    }
}

#[test]
fn a_week_of_queries_takes_no_time_and_ends_idle() {
    let query = crate::message::simple_query("SELECT 1");
    let answer = rows(&[vec![1; 10]]);
    let mut inflow = crate::Inflow::starting_with(vec![]);
    let mut outflow = Outflow::starting_with(rows(&[]));
    outflow.written(6);

    for _ in 0..600_000 {
        inflow.space()[..query.len()].copy_from_slice(&query);
        inflow.filled(query.len());
        inflow.written(query.len());
        assert!(!inflow.leaves_idle(outflow.ready_for_query()));
        outflow.space()[..answer.len()].copy_from_slice(&answer);
        outflow.filled(answer.len());
        outflow.written(answer.len());
    }

    assert!(inflow.leaves_idle(outflow.ready_for_query()));
    assert_eq!(outflow.ready_for_query(), 600_001);
}
