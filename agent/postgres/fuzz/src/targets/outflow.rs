//! Database to program: every byte as it came.
//! A last word is put only where a message ends.

use super::{is_a_boundary, read};
use tidegate_postgres::Outflow;

const WORDS: &[u8] = b"E\0\0\0\x09SFATAL\0";

pub(crate) fn holds(data: &[u8]) {
    let [when, step, bytes @ ..] = data else {
        return;
    };
    let (outflow, passed) = pass(*when, usize::from(*step) + 1, bytes);

    let own = match outflow.has_spoken() {
        true => passed.strip_suffix(WORDS).expect("the last words are last"),
        false => &passed[..],
    };
    assert!(bytes.starts_with(own));
    if outflow.has_spoken() {
        assert!(is_a_boundary(bytes, own.len()));
    }
    if *when == 255 {
        assert_eq!(own, bytes);
    }
}

/// What the program got; the last words are asked for before the read number `when`, and never at 255.
fn pass(when: u8, step: usize, bytes: &[u8]) -> (Outflow, Vec<u8>) {
    let mut outflow = Outflow::starting_with(Vec::new());
    let (mut passed, mut rest) = (Vec::new(), bytes);
    for turn in 0.. {
        if turn == u64::from(when) && when != 255 {
            outflow.finish_with(WORDS.to_vec());
        }
        write_all(&mut outflow, step, &mut passed);
        let (count, after) = read(outflow.space(), rest, step);
        if count == 0 {
            break;
        }
        outflow.filled(count);
        rest = after;
    }
    if rest.is_empty() && !outflow.is_over() {
        outflow.server_ended();
        write_all(&mut outflow, step, &mut passed);
    }
    (outflow, passed)
}

fn write_all(outflow: &mut Outflow, step: usize, passed: &mut Vec<u8>) {
    while !outflow.pending().is_empty() {
        let count = step.div_ceil(2).min(outflow.pending().len());
        passed.extend_from_slice(&outflow.pending()[..count]);
        outflow.written(count);
    }
}
