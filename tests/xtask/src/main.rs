//! `cargo xtask test` and `cargo xtask demo`: everything from a clean clone to a verdict, or to the café scene.
//! It uses the standard library only: it must build in seconds on a machine that has nothing yet.

mod bench;
mod board;
mod chaos;
mod check;
mod count;
mod demo;
mod excerpt;
mod fuzz;
mod package;
mod place;
mod prepare;
mod system;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command> [--loud]

  test   sets the machine up, builds, and runs every check and test; ends with `N passed, N failed`
  demo   sets the machine up, builds, and plays the café scene (waits for your clicks where there is a display)
  bench  builds for release and measures Tidegate against `ssh -J`; `bench connections` only how fast one can connect,
         `bench app` how fast the app starts and what it weighs
  chaos  sets the machine up, builds, and breaks everything between programs and database, 1,000 times, while they work;
         writes agent/docs/chaos.md when nothing was wrong; `--seed N` repeats a run, `--faults N` plays so many
  fuzz   looks for bytes that break the PostgreSQL parts, ten minutes for each of seven targets (`--seconds N`, `--target T`),
         and keeps in agent/postgres/fuzz/corpus what reached something new
  package  builds for release and packs deb and rpm: the app, and the command line with its servers
  setup  only sets the machine up: system packages, npm packages, the Python environment

  --quick, --built, --as VERSION  packages of debug binaries, of binaries that are there, of another version (for tests)
  --trouble port|clock|database  in place of the scene, a morning on which it does not work: find out why, and mend it
  --person, --driven  who clicks in the demo; without them a display and a terminal mean that you do
  --loud  show the output of every step while it runs (always so when CI is set)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let loud = words.iter().any(|word| word == "--loud") || std::env::var_os("CI").is_some();
    let command = words.iter().find(|word| !word.starts_with("--"));

    let place = match place::Place::find() {
        Ok(place) => place,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let mut board = board::Board::new(&place, loud);
    let good = match command.map(String::as_str) {
        Some("test") => check::run(&place, &mut board),
        Some("demo") => demo::run(&place, &mut board, &words[1..]),
        Some("chaos") => chaos::run(&place, &mut board, &words[1..]),
        Some("fuzz") => fuzz::run(&place, &mut board, &words[1..]),
        Some("bench") => bench::run(&place, &mut board),
        Some("package") => package::run(&place, &mut board, &package::Order::of(&words)),
        Some("setup") => prepare::everything(&place, &mut board),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
