//! `cargo xtask demo`: plays the café scene on this machine and leaves its pictures in `tests/out`.
//! It decides by itself who clicks: a person where there is a display and a terminal, a driver otherwise.

use std::io::IsTerminal;
use std::process::ExitCode;

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
    let out = stage::checkout()?.join("tests/out");
    let narrator = Narrator::new(hands(), &out)?;
    if let Some(word) = trouble() {
        println!("Tidegate: a morning on which it does not work");
        return Box::pin(prepared::play(&narrator, Prepared::named(&word)?, &out)).await;
    }
    println!("Tidegate: the café scene");
    let played = Box::pin(scene::play(&narrator)).await;
    println!("\nPictures, chart and logs are in {}", out.display());
    played
}

/// `--trouble WORD`.
fn trouble() -> Option<String> {
    let mut words = std::env::args().skip_while(|word| word != "--trouble");
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
