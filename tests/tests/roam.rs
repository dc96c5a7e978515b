//! She leaves and comes back: another café's wifi, a line that went silent without a word, a lid that was closed.
//! Each time it is measured from the moment when her way is there again how long a session that she kept, with a query on its way,
//! and a program that connects just then, wait for their answer.

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, Stage, scene};

#[path = "trouble/ana.rs"]
#[allow(dead_code)] // what other plays need of her
mod ana;
#[path = "roam/returns.rs"]
mod returns;

fn main() -> ExitCode {
    perform_if_asked("roam", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let stage = Stage::set()?;
    let setting = scene::set_on(narrator, stage, |plan| plan);
    let world = narrator.step("the stage is set", setting).await?;
    if world.stage.ground().network().is_none() {
        narrator.say("loopback has no way to leave: nothing is played");
        return world.end().await;
    }
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;
    let agent = narrator.step("she connects", ana.connect(&world)).await?;
    narrator
        .step(
            "she_is_back_within_two_seconds_wherever_she_was",
            returns::all(narrator, &world, &ana, &agent),
        )
        .await?;
    narrator
        .step(
            "nothing is left",
            returns::nothing_is_left(world, agent, ana),
        )
        .await
}
