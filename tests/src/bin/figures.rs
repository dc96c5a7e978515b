//! `cargo xtask bench`: measures Tidegate against `ssh -J` and against nothing, and prints the figures.
//! Meant for a release build; a debug build measures the debug build. With the word `app` only the app is measured, with
//! the word `connections` only how fast one can connect.

use std::process::ExitCode;

use tidegate_tests::figures::{self, Figures};
use tidegate_tests::{Outcome, Trouble};

#[tokio::main]
async fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    match Box::pin(measure(only.as_deref())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(only: Option<&str>) -> Outcome<()> {
    match only {
        None => {
            figures::measure(Figures::All).await?;
            figures::app::measure().await
        }
        Some("app") => figures::app::measure().await,
        Some("connections") => figures::measure(Figures::Connections).await,
        Some(_) => Err(Trouble::new("the words are app and connections")),
    }
}
