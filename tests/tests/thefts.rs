//! One stolen key against the real programs: hub, outlet, provider and PostgreSQL, each under its own user in its own network.
//! The thief is this program with the key in it, in the café; whether he got in is read where the outlet and the database keep it.
#![allow(clippy::unwrap_used)] // of a thief's own steps: a panic in one fails the play

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform;
use tidegate_tests::{Outcome, scene};

#[path = "attacks/papers.rs"]
mod papers;
#[path = "thefts/steps.rs"]
mod steps;
#[path = "thefts/visitor.rs"]
mod visitor;

fn main() -> ExitCode {
    if !tidegate_tests::narrator::asked_for("thefts") {
        return ExitCode::SUCCESS;
    }
    perform(play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let world = narrator
        .step("the stage is set", scene::set(narrator))
        .await?;
    let ana = narrator
        .step(
            "ana_reads_the_warehouse_with_papers_of_her_own",
            steps::ana(narrator, &world),
        )
        .await?;
    narrator
        .step(
            "the_authoritys_stolen_key_gets_no_unenrolled_device_past_the_outlets_program",
            steps::the_authoritys_key(narrator, &world, &ana),
        )
        .await?;
    narrator
        .step(
            "the_providers_stolen_key_gets_no_unenrolled_device_past_hub_or_outlet_program",
            steps::the_providers_key(narrator, &world, &ana),
        )
        .await?;
    narrator
        .step(
            "she_reads_it_again_and_nobody_else_ever_did",
            steps::nobody_else(&world, &ana),
        )
        .await?;
    drop(ana);
    narrator.step("nothing is left", world.end()).await
}
