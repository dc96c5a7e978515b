//! The café scene as a test: every step counts, and is named, like a test of its own.
//! No harness: the steps need one another, so they are played in order and the first that fails ends the play.

use std::process::ExitCode;

use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::scene;

fn main() -> ExitCode {
    perform_if_asked("cafe scene", scene::play)
}
