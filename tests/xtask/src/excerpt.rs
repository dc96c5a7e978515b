//! What a reader of a long log looks for first: the lines around each failure, to be said again at the end.
//! A log is often kept only from its end, so a failure that is told once, in the middle, is a failure nobody can read.

use crate::count::plain;

/// No step fills the end of a log with more lines than this, however much of it failed.
const MOST: usize = 90;
const WIDEST: usize = 200;

/// Where a failure is told, and how many lines before and after it belong to it.
struct Mark {
    tells: fn(&str) -> bool,
    before: usize,
    after: usize,
}

const MARKS: [Mark; 5] = [
    // A step of a play: `✗ 1.2 s` below what it did, with its reason below that.
    Mark {
        tells: |line| line.starts_with("✗ ") && line.ends_with(" s"),
        before: 25,
        after: 3,
    },
    // What a test of libtest printed before it panicked.
    Mark {
        tells: |line| line.starts_with("---- ") && line.ends_with(" stdout ----"),
        before: 0,
        after: 16,
    },
    Mark {
        tells: |line| line.starts_with("test ") && line.contains("... FAILED"),
        before: 0,
        after: 0,
    },
    // Compilers, lints and cargo itself; what the product says to somebody in a play has a code.
    Mark {
        tells: |line| line.starts_with("error") && !line.contains("(TG-"),
        before: 0,
        after: 6,
    },
    // The window's tests.
    Mark {
        tells: |line| line.starts_with("FAIL ") || line.starts_with("AssertionError"),
        before: 0,
        after: 8,
    },
];

/// The failures of one step in the order in which they were told; the last lines where none of the marks is found.
pub(crate) fn of_failures(output: &str) -> Vec<String> {
    let lines: Vec<String> = output.lines().map(plain).collect();
    let mut wanted = vec![false; lines.len()];
    for (at, line) in lines.iter().enumerate() {
        for mark in MARKS.iter().filter(|mark| (mark.tells)(line.trim())) {
            let end = (at + mark.after).min(lines.len() - 1);
            wanted[at.saturating_sub(mark.before)..=end].fill(true);
        }
    }
    if !wanted.contains(&true) {
        let start = lines.len().saturating_sub(20);
        wanted[start..].fill(true);
    }
    let told = lines.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
    told.map(|(line, _)| line.chars().take(WIDEST).collect())
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, of_failures};

    #[test]
    fn a_failed_step_of_a_play_is_told_with_what_it_did_and_why() {
        let output = "    ✓ 5.9 s\n\n  5a. She disconnects\n    the port refuses after 1 ms\n    a session is left\n    \
                      ✗ 1.2 s\n\n  5a. She disconnects: a session is left\n\n  test 1. The stage is set ... ok (3.9 s)\n  \
                      test 5a. She disconnects ... FAILED (1.2 s)\n  something else\n";

        let told = of_failures(output).join("\n");

        assert!(told.contains("the port refuses after 1 ms"), "{told}");
        assert!(
            told.contains("test 5a. She disconnects ... FAILED"),
            "{told}"
        );
        assert!(!told.contains("something else"), "{told}");
    }

    #[test]
    fn what_a_play_makes_the_product_say_is_no_failure() {
        let output = "error: Clock is wrong (TG-1006)\n  1\n  2\n  3\n  4\n  5\n  6\nerror: test failed, to rerun pass `x`\n";

        assert_eq!(
            of_failures(output),
            ["error: test failed, to rerun pass `x`"]
        );
    }

    #[test]
    fn a_test_that_panicked_is_told_with_its_words_and_an_error_with_its_place() {
        let output = "test good ... ok\n\u{1b}[31mtest bad ... FAILED\u{1b}[0m\n\nfailures:\n\n---- bad stdout ----\n\
                      thread 'bad' panicked at src/x.rs:1:2:\nleft is not right\n";

        let told = of_failures(output).join("\n");

        assert!(
            told.starts_with("test bad ... FAILED\n---- bad stdout ----"),
            "{told}"
        );
        assert!(told.ends_with("left is not right"), "{told}");
    }

    #[test]
    fn a_failure_without_a_mark_is_told_by_its_last_lines_and_no_failure_floods_the_end() {
        assert_eq!(of_failures("one\ntwo\n"), ["one", "two"]);
        assert_eq!(of_failures(""), Vec::<String>::new());
        assert_eq!(of_failures(&"error: no\n".repeat(1_000)).len(), MOST);
    }
}
