//! The café scene as a test: every step counts, and is named, like a test of its own.
//! No harness: the steps need one another, so they are played in order and the first that fails ends the play.

use std::process::ExitCode;

use tidegate_tests::narrator::asked_for;
use tidegate_tests::perform::perform;
use tidegate_tests::scene;

fn main() -> ExitCode {
    if !asked_for("cafe scene") {
        return ExitCode::SUCCESS;
    }
    perform(scene::play)
}
