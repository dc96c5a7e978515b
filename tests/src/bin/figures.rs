//! `cargo xtask bench`: measures Tidegate against `ssh -J` and against nothing, and prints the figures.
//! Meant for a release build; a debug build measures the debug build. With the word `app` only the app is measured, with
//! the word `connections` only how fast one can connect, with the word `speed` only what the page of speed shows.

use std::process::ExitCode;

use tidegate_tests::figures::{self, Figures, speed};
use tidegate_tests::{Doing as _, Outcome, Trouble};

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
            figures::speed::measure().await?;
            figures::app::measure().await
        }
        Some("speed") => figures::speed::measure().await,
        // Not for people: one of three processes that the page of speed compares with.
        Some(speed::HOP) => {
            let mut ends = std::env::args().skip(2).map(|end| end.parse());
            let (at, target) = (ends.next(), ends.next());
            let both = at.zip(target).doing("read two addresses")?;
            speed::hop(both.0?, both.1?).await
        }
        Some("app") => figures::app::measure().await,
        Some("connections") => figures::measure(Figures::Connections).await,
        Some(_) => Err(Trouble::new("the words are app, connections and speed")),
    }
}
