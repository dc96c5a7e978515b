//! Everything that goes wrong on an ordinary day, with the real programs: each gets a clear sentence, opens nothing, loses nothing.
//! One world is shared, so the troubles are played one after the other; a trouble that fails does not hide the next.

use std::process::ExitCode;

use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::{Outcome, scene, stage};

#[path = "trouble/account.rs"]
mod account;
#[path = "trouble/again.rs"]
mod again;
#[path = "trouble/ana.rs"]
mod ana;
#[path = "trouble/database.rs"]
mod database;
#[path = "trouble/laptop.rs"]
mod laptop;
#[path = "trouble/servers.rs"]
mod servers;

fn main() -> ExitCode {
    if !tidegate_tests::narrator::asked_for("trouble") {
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

    let played = runtime.block_on(Box::pin(play(&narrator)));

    if let Err(trouble) = &played {
        println!("\n{trouble}");
    }
    println!("\n{}", narrator.summary());
    if played.is_ok() && narrator.all_went_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let mut world = narrator
        .step("the stage is set", scene::set(narrator))
        .await?;
    // Two minutes more, and played by name only: `cargo test -p tidegate-tests --test trouble -- trouble account`.
    let with_account = std::env::args().any(|word| word == "account");
    if with_account {
        account::short_tokens(&world)?;
    }
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;

    let _ = narrator
        .step(
            "a_taken_port_is_named_with_the_program_that_holds_it",
            laptop::port_taken(&world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_second_connection_travels_the_first_ones_circuit_in_one_round_trip",
            again::same_circuit(&world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_closed_database_is_a_sentence_at_once",
            database::closed(&mut world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_dead_outlet_is_a_sentence_at_once",
            servers::dead_outlet(&mut world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_stopping_outlet_ends_a_copy_with_a_reason",
            servers::outlet_stops_in_a_copy(&mut world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "an_agent_that_is_told_to_end_ends_a_copy_with_a_reason",
            laptop::agent_stops_in_a_copy(&world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_clock_ten_minutes_off_is_named",
            laptop::clock_off(&world, &ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_key_that_others_can_read_is_refused",
            servers::readable_key(&world),
        )
        .await;
    let _ = narrator
        .step(
            "without_a_keyring_it_says_where_the_keys_are",
            laptop::no_keyring(&world),
        )
        .await;
    if with_account {
        account::play(narrator, &world, &ana).await;
    }

    drop(ana);
    narrator.step("nothing is left", world.end()).await
}
