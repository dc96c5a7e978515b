//! `cargo xtask bench`: a release build and the figures of a closing note.
//! Not part of `test`: what a busy machine measures must never decide whether a change may land.

use std::process::Command;
use std::time::Duration;

use crate::board::Board;
use crate::place::Place;
use crate::prepare;

pub(crate) fn run(place: &Place, board: &mut Board) -> bool {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args([
            "build",
            "--release",
            "-p",
            "tidegate-cli",
            "-p",
            "tidegate-desktop",
            "-p",
            "tidegate-tests",
        ])
        .current_dir(&place.root);
    if !(prepare::everything(place, board)
        && board
            .step("build for release", Duration::from_secs(3600), &build)
            .good)
    {
        return false;
    }
    println!();
    let figures = Command::new(place.target.join("release/figures"))
        .args(std::env::args().skip(2))
        .current_dir(&place.root)
        .status();
    figures.is_ok_and(|status| status.success())
}
