//! The `main` of a test that is one play: a runtime, a narrator, the play, and what came of it.
//! No harness runs these: their steps need one another, and each is named and counted like a test of its own.

use std::process::ExitCode;

use crate::narrator::{Hands, Narrator, asked_for};
use crate::stage;
use crate::trouble::Outcome;

/// Plays unless the words of `cargo test` ask for others.
pub fn perform_if_asked(name: &str, play: impl AsyncFnOnce(&Narrator) -> Outcome<()>) -> ExitCode {
    match asked_for(name) {
        true => perform(play),
        false => ExitCode::SUCCESS,
    }
}

/// Plays without a person; a success only if the play and every step of it went well.
pub fn perform(play: impl AsyncFnOnce(&Narrator) -> Outcome<()>) -> ExitCode {
    perform_in("tests/out", play)
}

/// The same with pictures in a folder of its own.
pub fn perform_in(out: &str, play: impl AsyncFnOnce(&Narrator) -> Outcome<()>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let out = stage::checkout().map(|checkout| checkout.join(out));
    let (Ok(runtime), Ok(out)) = (runtime, out) else {
        return ExitCode::FAILURE;
    };
    let Ok(narrator) = Narrator::new(Hands::Driver, &out) else {
        return ExitCode::FAILURE;
    };

    let played = runtime.block_on(async {
        match Box::pin(play(&narrator)).await {
            // It is told and counted as a step, or the sum would say that all went well.
            Err(trouble) if narrator.all_went_well() => {
                narrator
                    .step("after the last step", async { Err(trouble) })
                    .await
            }
            played => played,
        }
    });

    println!("\n{}", narrator.summary());
    if played.is_ok() && narrator.all_went_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
