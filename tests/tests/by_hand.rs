//! Visitors who speak the protocol by hand with the real programs: hub, outlet, provider and PostgreSQL, each under its own
//! user in its own network. A thief is one with a stolen key; whether he got in is read where outlet and database keep it.
#![allow(clippy::unwrap_used)] // of a visitor's own steps: a panic in one fails the play

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, scene};

#[path = "by_hand/first_packet.rs"]
mod first_packet;
#[path = "attacks/papers.rs"]
#[allow(dead_code)] // what the attacks show
mod papers;
#[path = "by_hand/rotation.rs"]
mod rotation;
#[path = "by_hand/thefts.rs"]
mod thefts;
#[path = "by_hand/visitor.rs"]
mod visitor;
#[path = "by_hand/whole_hub.rs"]
mod whole_hub;

fn main() -> ExitCode {
    perform_if_asked("by_hand", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let world = narrator
        .step("the stage is set", scene::set(narrator))
        .await?;
    let ana = narrator
        .step(
            "ana_reads_the_warehouse_with_papers_of_her_own",
            thefts::ana(narrator, &world),
        )
        .await?;
    narrator
        .step(
            "the_authoritys_stolen_key_gets_no_unenrolled_device_past_the_outlets_program",
            thefts::the_authoritys_key(narrator, &world, &ana),
        )
        .await?;
    narrator
        .step(
            "the_providers_stolen_key_gets_no_unenrolled_device_past_hub_or_outlet_program",
            thefts::the_providers_key(narrator, &world, &ana),
        )
        .await?;
    narrator
        .step(
            "the_hubs_whole_data_directory_holds_nobodys_papers",
            async { whole_hub::holds_nobodys_papers(narrator, &world, &ana) },
        )
        .await?;
    narrator
        .step(
            "a_thief_who_answers_as_hub_and_relay_with_both_stolen_keys_is_refused_by_ana_and_the_outlet",
            whole_hub::answers_in_vain(narrator, &world, &ana),
        )
        .await?;
    narrator
        .step(
            "she_reads_it_again_and_nobody_else_ever_did",
            thefts::nobody_else(&world, &ana),
        )
        .await?;
    narrator
        .step(
            "a_first_packet_of_exactly_16_kib_is_carried_and_one_byte_more_is_refused_with_a_sentence",
            async { first_packet::at_its_longest(narrator, &world, &ana) },
        )
        .await?;
    narrator
        .step(
            "a_key_that_the_provider_takes_away_in_an_emergency_lets_nobody_in_and_a_new_sign_in_works",
            rotation::in_an_emergency(narrator, &world, &ana),
        )
        .await?;
    drop(ana);
    narrator.step("nothing is left", world.end()).await
}
