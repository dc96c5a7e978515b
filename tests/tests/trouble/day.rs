//! An ordinary bad day: a port that is taken, a dead database, a dead outlet, a wrong clock, no keyring.
//! A trouble that fails does not hide the next.

use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;

use super::ana::Ana;
use super::{again, database, laptop, servers, startup};

pub(crate) async fn play(narrator: &Narrator, world: &mut World, ana: &Ana) {
    let _ = narrator
        .step(
            "a_taken_port_is_named_with_the_program_that_holds_it",
            laptop::port_taken(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_second_connection_travels_the_first_ones_circuit_in_one_round_trip",
            again::same_circuit(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_startup_longer_than_postgresql_takes_is_a_sentence",
            startup::longest(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_closed_database_is_a_sentence_at_once",
            database::closed(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_dead_outlet_is_a_sentence_at_once",
            servers::dead_outlet(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "an_outlet_whose_computer_is_gone_is_a_sentence_within_seconds",
            servers::vanished_outlet(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "rules_that_forbid_are_a_sentence_at_once",
            servers::forbidden(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_stopping_outlet_ends_a_copy_with_a_reason",
            servers::outlet_stops_in_a_copy(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "an_agent_that_is_told_to_end_ends_a_copy_with_a_reason",
            laptop::agent_stops_in_a_copy(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_clock_ten_minutes_off_is_named",
            laptop::clock_off(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_key_that_others_can_read_is_refused",
            servers::readable_key(world),
        )
        .await;
    let _ = narrator
        .step(
            "without_a_keyring_it_says_where_the_keys_are",
            laptop::no_keyring(world),
        )
        .await;
}
