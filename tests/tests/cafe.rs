//! The café scene as a test: every step counts, and is named, like a test of its own.
//! No harness: the steps need one another, so they are played in order and the first that fails ends the play.

use std::process::ExitCode;

use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::{scene, stage};

fn main() -> ExitCode {
    if !asked_for() {
        println!("test result: ok. 0 passed; 0 failed");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let out = stage::checkout().map(|checkout| checkout.join("tests/out"));
    let (Ok(runtime), Ok(out)) = (runtime, out) else {
        return ExitCode::FAILURE;
    };
    let Ok(narrator) = Narrator::new(Hands::Driver, &out) else {
        return ExitCode::FAILURE;
    };

    let played = runtime.block_on(Box::pin(scene::play(&narrator)));

    if let Err(trouble) = &played {
        println!("\n{trouble}");
    }
    println!("\n{}", narrator.summary());
    if played.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `cargo test NAME` asks for tests by name; `--list` only wants to know.
fn asked_for() -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let named: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    !words.iter().any(|word| word == "--list")
        && (named.is_empty()
            || named
                .iter()
                .any(|name| "cafe scene".contains(name.as_str())))
}
