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

/// How often somebody who does nothing is reminded before the play ends.
const REMINDERS: u32 = 5;

pub struct Narrator {
    pub hands: Hands,
    patience: Duration,
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
        let patience = match hands {
            Hands::Driver => Duration::from_secs(30),
            Hands::Person => Duration::from_secs(600),
        };
        Ok(Self {
            hands,
            patience,
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

    /// With so long for everything that hands have to do.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long something may take that hands have to do.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Says what a person has to do now, and how long it is waited for; then waits, and says it again meanwhile.
    /// A driver does it without being told.
    ///
    /// # Errors
    /// What `done` says, with what was waited for.
    pub async fn ask<T>(&self, what: &str, done: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        if self.hands == Hands::Driver {
            return done.await;
        }
        let all = in_words(self.patience);
        println!("  ☞ {what} (within {all}, or the play ends)");
        let (begun, pause) = (Instant::now(), self.patience / REMINDERS);
        let mut done = std::pin::pin!(done);
        loop {
            match tokio::time::timeout(pause, &mut done).await {
                Ok(Err(trouble)) if begun.elapsed() >= self.patience => {
                    return Err(Trouble::new(format!(
                        "nobody did this within {all}: {what}\n{trouble}"
                    )));
                }
                Ok(ended) => return ended,
                // At the very end it is no use to be reminded.
                Err(_) if begun.elapsed() + pause / 2 >= self.patience => {}
                Err(_) => {
                    let left = self.patience.saturating_sub(begun.elapsed());
                    self.say(format!("still to do, {} left: {what}", in_words(left)));
                }
            }
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

/// As a person counts: minutes, or seconds where it is about less than two.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
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
