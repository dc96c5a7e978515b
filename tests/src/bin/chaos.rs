//! `cargo xtask chaos`: plays the faults of a seed, and writes the page about a long run in which nothing was wrong.
//! Without a seed it takes one from the clock; it is printed first, and a run that fails prints how to repeat it.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_tests::chaos::{self, Plan};
use tidegate_tests::perform::perform;
use tidegate_tests::{Doing, Outcome, Trouble, stage};

/// As many as the page tells of.
const FAULTS: u64 = 1_000;
/// None would write a page about nothing; more than these take days.
const SOME: std::ops::RangeInclusive<u64> = 1..=100_000;

fn main() -> ExitCode {
    let plan = match plan() {
        Ok(plan) => plan,
        Err(trouble) => {
            eprintln!("{trouble}");
            return ExitCode::from(2);
        }
    };
    perform(async |narrator| {
        let report = Box::pin(chaos::play(narrator, plan)).await?;
        if !plan.is_long() {
            narrator.say("The page tells of long runs: it stays as it is.");
            return Ok(());
        }
        let page = stage::checkout()?.join("agent/docs/chaos.md");
        std::fs::write(&page, report.page()).doing("write the page")
    })
}

fn plan() -> Outcome<Plan> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let faults = number("--faults")?.unwrap_or(FAULTS);
    if !SOME.contains(&faults) {
        return Err(Trouble::new("--faults takes a number from 1 to 100000"));
    }
    Ok(Plan {
        seed: number("--seed")?.unwrap_or(clock),
        faults: usize::try_from(faults)?,
    })
}

/// The number behind a word of the command line.
fn number(word: &str) -> Outcome<Option<u64>> {
    let mut words = std::env::args().skip_while(|said| said != word).skip(1);
    match words.next() {
        Some(number) => Ok(Some(number.parse().doing(format!("read {word} {number}"))?)),
        None => Ok(None),
    }
}
