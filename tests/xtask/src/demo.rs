//! `cargo xtask demo`: builds, then hands the terminal to the scene.
//! The scene itself is `tests/src/bin/demo.rs`; it decides by itself whether a person or a driver clicks.

use std::process::Command;

use crate::board::Board;
use crate::check;
use crate::place::Place;
use crate::prepare;

pub(crate) fn run(place: &Place, board: &mut Board, words: &[String]) -> bool {
    if !(prepare::everything(place, board) && check::build(place, board)) {
        return false;
    }
    println!();
    let scene = Command::new(place.binary("demo"))
        .args(words)
        .current_dir(&place.root)
        .env("TIDEGATE_PYTHON", place.python())
        .status();
    match scene {
        Ok(status) => status.success(),
        Err(error) => {
            board.failed("demo", &format!("could not start the scene: {error}"));
            false
        }
    }
}
