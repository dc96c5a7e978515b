//! Servers that are told to end (SIGTERM) under running copies, as at an update: with a second relay, and an outlet that keeps portals.
//! Relays lose nothing: what they carried goes on over the other one. Outlet and agent end what they carry, and say so.

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, Stage, scene};

#[path = "trouble/ana.rs"]
#[allow(dead_code)] // what other plays need of her
mod ana;
#[path = "rolling/restarts.rs"]
mod restarts;

fn main() -> ExitCode {
    perform_if_asked("rolling restart", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let stage = Stage::set()?;
    let setting = scene::set_on(narrator, stage, |plan| {
        plan.keeps_portals().with_its_own_relay()
    });
    let mut world = narrator
        .step("the stage is set, with a second relay", setting)
        .await?;
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;
    let connecting = restarts::over_the_hub(&mut world, &ana);
    let agent = narrator.step("she connects", connecting).await?;
    narrator
        .step(
            "a_copy_survives_that_one_relay_after_the_other_is_restarted",
            restarts::relays(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "an_outlet_that_is_told_to_end_ends_a_copy_that_it_could_keep_with_a_reason",
            restarts::outlet(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "an_agent_that_is_told_to_end_ends_a_copy_that_it_could_resume_with_a_reason",
            restarts::agent(&world, &ana, agent),
        )
        .await?;
    drop(ana);
    narrator.step("nothing is left", world.end()).await
}
