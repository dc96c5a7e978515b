//! Program to database: every byte as it came.
//! After the last call nothing passes that begins a statement.

use super::{messages, read};
use tidegate_postgres::Inflow;

/// What goes on with what has begun: the rest of a COPY, Sync, Flush, goodbye.
const GOES_ON: &[u8] = b"dcfSHX";

pub(crate) fn holds(data: &[u8]) {
    let [when, step, bytes @ ..] = data else {
        return;
    };
    let (inflow, passed, called) = pass(*when, usize::from(*step) + 1, bytes);

    assert!(bytes.starts_with(&passed));
    let seen = messages(bytes);
    let begun = |at: usize| seen.iter().filter(move |(begin, ..)| *begin >= at);
    match called {
        None => assert_eq!(passed, bytes),
        Some(called) => {
            let after = begun(called).take_while(|(begin, ..)| *begin < passed.len());
            after.for_each(|(_, tag, _)| assert!(GOES_ON.contains(tag)));
        }
    }
    let whole = begun(0).take_while(|(.., end)| *end <= passed.len());
    let owed = 1 + whole.filter(|(_, tag, _)| b"QFS".contains(tag)).count();
    assert!(!inflow.leaves_idle(owed as u64 - 1));
}

/// What passed, and how much of it before the last call; that is made before the write number `when`, and never at 255.
fn pass(when: u8, step: usize, bytes: &[u8]) -> (Inflow, Vec<u8>, Option<usize>) {
    let mut inflow = Inflow::starting_with(Vec::new());
    let (mut passed, mut rest, mut called) = (Vec::new(), bytes, None);
    for write in 0.. {
        if write == u64::from(when) && when != 255 {
            inflow.last_call();
            called = Some(passed.len());
        }
        if inflow.pending().is_empty() {
            let (count, after) = read(inflow.space(), rest, step);
            if count == 0 {
                break;
            }
            inflow.filled(count);
            rest = after;
        }
        let count = step.div_ceil(2).min(inflow.pending().len());
        passed.extend_from_slice(&inflow.pending()[..count]);
        inflow.written(count);
    }
    (inflow, passed, called)
}
