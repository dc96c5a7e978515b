//! Whatever fuzzing kept is played again on every change: each input reached a branch that no other did.
//! `cargo xtask fuzz` looks for more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use std::path::Path;

/// Fewer would mean that a corpus was lost.
const LEAST: usize = 10;

#[test]
fn what_fuzzing_kept_still_holds() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, holds) in targets::ALL {
        let file = corpora.join(format!("{name}.txt"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.lines().count() >= LEAST,
            "{name} has hardly any inputs"
        );
        for line in text.lines() {
            println!("{name} {line}");
            holds(&bytes(line));
        }
    }
}

fn bytes(line: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(pair).collect()
}
