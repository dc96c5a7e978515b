//! `cargo xtask test`: every check, in the order in which they are likely to fail cheaply.
//! All cargo steps take `--workspace`: another selection would unify features differently and build the world twice.

use std::process::Command;
use std::time::Duration;

use crate::board::Board;
use crate::count::Count;
use crate::place::Place;
use crate::prepare;

const MINUTE: u64 = 60;

pub(crate) fn run(place: &Place, board: &mut Board) -> bool {
    let mut count = Count::default();
    if prepare::everything(place, board) && build(place, board) {
        lint(place, board);
        provider(place, board, &mut count);
        test(place, board, &mut count);
        window(place, board, &mut count);
    }
    board.verdict(count)
}

/// The window first: the desktop binary carries it inside.
pub(crate) fn build(place: &Place, board: &mut Board) -> bool {
    let mut binaries = cargo(place, "build");
    binaries.args(["--workspace", "--all-targets"]);
    build_window(place, board)
        && board
            .step("build the binaries", minutes(40), &binaries)
            .good
}

pub(crate) fn build_window(place: &Place, board: &mut Board) -> bool {
    board
        .step("build the window", minutes(3), &npm_run(place, "build"))
        .good
}

fn lint(place: &Place, board: &mut Board) {
    let mut fmt = cargo(place, "fmt");
    fmt.args(["--all", "--check"]);
    board.step("formatting", minutes(1), &fmt);

    let mut clippy = cargo(place, "clippy");
    clippy.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
    board.step("clippy", minutes(20), &clippy);

    let mut doc = cargo(place, "doc");
    doc.args(["--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings");
    board.step("documentation", minutes(20), &doc);
}

/// What everything else is measured against: is the stand-in for Okta as strict as Okta?
fn provider(place: &Place, board: &mut Board, count: &mut Count) {
    let mut tests = Command::new("npm");
    tests
        .args(["test", "--silent"])
        .current_dir(place.at("tests/provider"));
    let ran = board.step("provider: tests", minutes(2), &tests);
    count.add(Count::of(&ran.output));
}

/// Without `--all-targets`, which would leave out documentation tests: that a `Permit` cannot be forged is one of them.
fn test(place: &Place, board: &mut Board, count: &mut Count) {
    let mut tests = cargo(place, "test");
    tests.args(["--workspace", "--no-fail-fast"]);
    let ran = board.step("tests and the café scene", minutes(60), &tests);
    count.add(Count::of(&ran.output));
}

fn window(place: &Place, board: &mut Board, count: &mut Count) {
    for (name, script) in [
        ("window: types and lint", "check"),
        ("window: tests", "test"),
        ("window: pictures", "pictures"),
    ] {
        let ran = board.step(name, minutes(15), &npm_run(place, script));
        count.add(Count::of(&ran.output));
    }
}

fn npm_run(place: &Place, script: &str) -> Command {
    let mut command = Command::new("npm");
    command
        .args(["run", "--silent", script])
        .current_dir(place.at("ui"));
    command
}

fn cargo(place: &Place, verb: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .arg(verb)
        .current_dir(&place.root)
        .env("TIDEGATE_PYTHON", place.python());
    command
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * MINUTE)
}
