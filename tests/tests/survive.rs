//! A relay dies under running connections, and programs notice nothing but a pause (PROTOCOL section 10).
//! Bytes are compared by their checksums, a transaction by the backend that still holds it.

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, Stage, scene};

#[path = "trouble/ana.rs"]
#[allow(dead_code)] // what other plays need of her
mod ana;
#[path = "survive/deaths.rs"]
mod deaths;

fn main() -> ExitCode {
    perform_if_asked("survive", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let stage = Stage::set()?;
    let setting = scene::set_on(narrator, stage, |plan| plan);
    let mut world = narrator
        .step("the stage is set, with the relay in the hub", setting)
        .await?;
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;
    let agent = narrator.step("she connects", ana.connect(&world)).await?;
    narrator
        .step(
            "a_copy_out_of_the_database_survives_two_deaths_of_its_relay",
            deaths::copy_out(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "a_copy_into_the_database_survives_two_deaths_of_its_relay",
            deaths::copy_in(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "an_idle_session_goes_on_in_its_transaction",
            deaths::transaction(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "a_program_that_leaves_meanwhile_leaves_no_session",
            deaths::left_meanwhile(&mut world, &ana),
        )
        .await?;
    let agent = narrator
        .step(
            "an_agent_that_was_killed_leaves_no_session_once_it_is_back",
            deaths::agent_dies(&mut world, &ana, agent),
        )
        .await?;
    narrator
        .step(
            "nothing is left",
            deaths::nothing_is_left(world, agent, ana),
        )
        .await
}
