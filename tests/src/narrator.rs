//! Who tells the play: step by step on the terminal, with times, and pictures in `tests/out`.
//! With a person at a display it also says what to click, and waits.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::trouble::{Outcome, Trouble};

/// Who clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
    /// The tray's menu, the window and the browser are driven.
    Driver,
    /// Somebody sits there.
    Person,
}

pub struct Narrator {
    pub hands: Hands,
    out: PathBuf,
    told: Mutex<Vec<Told>>,
}

struct Told {
    name: String,
    took: Duration,
    good: bool,
}

impl Narrator {
    /// # Errors
    /// When the folder for pictures cannot be made.
    pub fn new(hands: Hands, out: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(out)?;
        Ok(Self {
            hands,
            out: out.to_path_buf(),
            told: Mutex::new(Vec::new()),
        })
    }

    /// Where a picture of this name goes.
    #[must_use]
    pub fn picture(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.png"))
    }

    /// Plays one step and says how it went.
    ///
    /// # Errors
    /// What the step says.
    pub async fn step<T>(&self, name: &str, step: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        println!("\n{name}");
        let started = Instant::now();
        let ended = Box::pin(step).await;
        let took = started.elapsed();
        let good = ended.is_ok();
        if let Err(trouble) = &ended {
            self.say(trouble.to_string());
        }
        println!(
            "  {} {:.1} s",
            if good { "✓" } else { "✗" },
            took.as_secs_f64()
        );
        if let Ok(mut told) = self.told.lock() {
            told.push(Told {
                name: name.to_owned(),
                took,
                good,
            });
        }
        ended.map_err(|trouble| Trouble::new(format!("{name}: {trouble}")))
    }

    /// One line under the current step.
    pub fn say(&self, line: impl AsRef<str>) {
        for line in line.as_ref().lines() {
            println!("  {line}");
        }
    }

    /// How long something may take that hands have to do.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self.hands {
            Hands::Driver => Duration::from_secs(30),
            Hands::Person => Duration::from_secs(600),
        }
    }

    /// What a person has to do now; a driver does it without being told.
    pub fn ask(&self, what: &str) {
        if self.hands == Hands::Person {
            let minutes = self.patience().as_secs() / 60;
            println!("  ☞ {what} (within {minutes} minutes, or the play ends)");
        }
    }

    /// Whether no step failed.
    #[must_use]
    pub fn all_went_well(&self) -> bool {
        let told = self
            .told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        told.iter().all(|told| told.good)
    }

    /// Every step that was played, in the words of a test runner.
    #[must_use]
    pub fn summary(&self) -> String {
        let told = self
            .told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let failed = told.iter().filter(|told| !told.good).count();
        let mut text = String::new();
        for told in told.iter() {
            let verdict = if told.good { "ok" } else { "FAILED" };
            text.push_str(&format!(
                "test {} ... {verdict} ({:.1} s)\n",
                told.name,
                told.took.as_secs_f64()
            ));
        }
        let verdict = if failed == 0 && !told.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        text.push_str(&format!(
            "\ntest result: {verdict}. {} passed; {failed} failed",
            told.len() - failed
        ));
        text
    }
}

/// Whether a run of the test runner wants this play: `cargo test NAME` asks for tests by name, `--list` only wants to know.
#[must_use]
pub fn asked_for(play: &str) -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut named = words
        .iter()
        .filter(|word| !word.starts_with('-'))
        .peekable();
    !words.iter().any(|word| word == "--list")
        && (named.peek().is_none() || named.any(|name| play.contains(name.as_str())))
}
