//! `cargo xtask bench`: measures Tidegate against `ssh -J` and against nothing, and prints the figures.
//! Meant for a release build; a debug build measures the debug build. With the word `app`, only the app is measured.

use std::process::ExitCode;

use tidegate_tests::{Outcome, figures};

#[tokio::main]
async fn main() -> ExitCode {
    let only_app = std::env::args().any(|word| word == "app");
    match Box::pin(measure(only_app)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(only_app: bool) -> Outcome<()> {
    if !only_app {
        figures::measure().await?;
    }
    figures::app::measure().await
}
