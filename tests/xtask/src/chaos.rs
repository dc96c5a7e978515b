//! `cargo xtask chaos`: builds, lets a million lines die between two ends in virtual time, then hands the terminal to the chaos on the stage.
//! Both follow from the one seed, which is printed first; what is played is in `tests/src/chaos` and `agent/link/src/portal/model.rs`.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::board::Board;
use crate::check;
use crate::place::Place;
use crate::prepare;

/// Lines that die in virtual time.
const DEATHS: &str = "1000000";
const MODEL: Duration = Duration::from_secs(1800);

pub(crate) fn run(place: &Place, board: &mut Board, words: &[String]) -> bool {
    let seed = seed(words);
    println!("seed {seed}");
    if !(prepare::everything(place, board) && check::build(place, board)) {
        return false;
    }
    let mut model = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    model
        .args(["test", "-p", "tidegate-link", "--release", "--lib"])
        .args(["whatever_dies", "--", "--nocapture"])
        .current_dir(&place.root)
        .env("TIDEGATE_MODEL_DEATHS", DEATHS)
        .env("TIDEGATE_MODEL_SEED", &seed);
    let modelled = board.step("a million lines die in virtual time", MODEL, &model);
    for line in modelled.output.lines() {
        if line.contains("lines died") {
            println!("  {line}");
        }
    }
    println!();
    let played = Command::new(place.binary("chaos"))
        .args(["--seed", &seed])
        .args(words)
        .current_dir(&place.root)
        .env("TIDEGATE_PYTHON", place.python())
        .status();
    modelled.good && played.is_ok_and(|status| status.success())
}

/// As it was asked for, or one from the clock.
fn seed(words: &[String]) -> String {
    let asked = words.iter().skip_while(|word| *word != "--seed").nth(1);
    asked.cloned().unwrap_or_else(|| {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        clock.map_or(1, |since| since.as_secs()).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn the_seed_is_the_one_that_was_asked_for() {
        let words = ["--faults", "9", "--seed", "77"].map(str::to_owned);

        assert_eq!(seed(&words), "77");
    }
}
