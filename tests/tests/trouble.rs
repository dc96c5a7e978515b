//! Everything that goes wrong on an ordinary day, with the real programs: each gets a clear sentence, opens nothing, loses nothing.
//! One world is shared, so the troubles are played one after the other; a trouble that fails does not hide the next.

use std::process::ExitCode;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, Stage, scene};

#[path = "trouble/account.rs"]
mod account;
#[path = "trouble/again.rs"]
mod again;
#[path = "trouble/ana.rs"]
mod ana;
#[path = "trouble/bundle.rs"]
mod bundle;
#[path = "trouble/database.rs"]
mod database;
#[path = "trouble/day.rs"]
mod day;
#[path = "trouble/devices.rs"]
mod devices;
#[path = "trouble/doctor.rs"]
mod doctor;
#[path = "trouble/laptop.rs"]
mod laptop;
#[path = "trouble/machine.rs"]
mod machine;
#[path = "trouble/servers.rs"]
mod servers;
#[path = "trouble/startup.rs"]
mod startup;
#[path = "trouble/terminal.rs"]
mod terminal;

/// What is played on the one stage; each needs only a stage and Ana.
const ACTS: [&str; 6] = ["machine", "account", "devices", "day", "doctor", "bundle"];

fn main() -> ExitCode {
    perform_if_asked("trouble", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let mut world = narrator
        .step(
            "the stage is set",
            scene::set_on(narrator, Stage::set()?, account::board),
        )
        .await?;
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;
    // While Bob can still sign in.
    if act("machine") {
        machine::play(narrator, &world, &ana).await;
    }
    // His last query runs on while the others play.
    let disabled = match act("account") {
        true => account::play(narrator, &world).await.ok(),
        false => None,
    };
    if act("devices") {
        let _ = devices::play(narrator, &world, &ana).await;
    }
    if let Some(disabled) = disabled {
        let _ = narrator
            .step(
                "a_person_disabled_at_the_provider_is_out_with_a_running_query",
                disabled.ends(&world),
            )
            .await;
    }
    if act("day") {
        day::play(narrator, &mut world, &ana).await;
    }
    if act("bundle") {
        bundle::play(narrator, &world, &ana).await;
    }
    if act("doctor") {
        doctor::play(narrator, &mut world, &ana).await;
    }

    drop(ana);
    narrator.step("nothing is left", world.end()).await
}

/// Whether an act is played: all of them, or those that were named: `cargo test --test trouble -- trouble devices`.
fn act(name: &str) -> bool {
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let named = words.iter().any(|word| ACTS.contains(&word.as_str()));
    !named || words.iter().any(|word| word == name)
}
