//! `cargo xtask bench`: measures Tidegate against `ssh -J` and against nothing, and prints the figures.
//! Meant for a release build; a debug build measures the debug build.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(tidegate_tests::figures::measure()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}
