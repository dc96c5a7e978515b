//! `cargo xtask demo`: plays the café scene on this machine and leaves its pictures in `tests/out`.
//! It decides by itself who clicks: a person where there is a display and a terminal, a driver otherwise.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::scene::prepared::{self, Prepared};
use tidegate_tests::{Outcome, scene, stage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("\n{trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Outcome<()> {
    let out = match behind("--out") {
        Some(folder) => PathBuf::from(folder),
        None => stage::checkout()?.join("tests/out"),
    };
    let mut narrator = Narrator::new(hands(), &out)?;
    if let Some(seconds) = behind("--patience") {
        narrator = narrator.with_patience(Duration::from_secs(seconds.parse()?));
    }
    if let Some(word) = behind("--trouble") {
        println!("Tidegate: a morning on which it does not work");
        return Box::pin(prepared::play(&narrator, Prepared::named(&word)?, &out)).await;
    }
    println!("Tidegate: the café scene");
    let played = Box::pin(scene::play(&narrator)).await;
    println!("\nPictures, chart and logs are in {}", out.display());
    played
}

/// The word behind this one: `--trouble WORD`, `--patience SECONDS`, `--out FOLDER`.
fn behind(option: &str) -> Option<String> {
    let mut words = std::env::args().skip_while(|word| word != option);
    words.next()?;
    Some(words.next().unwrap_or_default())
}

/// `--driven` and `--person` decide; without them a display and a terminal mean that somebody is there.
fn hands() -> Hands {
    let asked = |wanted: &str| std::env::args().any(|word| word == wanted);
    let somebody = std::env::var_os("DISPLAY").is_some() && std::io::stdin().is_terminal();
    if asked("--person") || (somebody && !asked("--driven")) {
        Hands::Person
    } else {
        Hands::Driver
    }
}
