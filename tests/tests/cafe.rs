//! The café scene as a test: every step counts, and is named, like a test of its own.
//! No harness: the steps need one another, so they are played in order and the first that fails ends the play.

use std::process::ExitCode;

use tidegate_tests::narrator::{Hands, Narrator, asked_for};
use tidegate_tests::{scene, stage};

fn main() -> ExitCode {
    if !asked_for("cafe scene") {
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
