//! Trouble with the machine that an agent runs on: a full disk, a port that is moved, two organisations.
//! Each gets a sentence, loses nothing, and is over by itself when its cause is.

#[path = "machine/disk.rs"]
mod disk;
#[path = "machine/orgs.rs"]
mod orgs;
#[path = "machine/settings.rs"]
mod settings;

use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_tests::Program;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::ana::Ana;

const LIMIT: Duration = Duration::from_secs(40);

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Ana) {
    let _ = narrator
        .step(
            "a_port_that_is_set_moves_in_the_running_agent_and_in_the_running_app",
            settings::ports(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "the_apps_log_is_for_nobody_else_stays_small_and_holds_no_secret",
            settings::log(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_name_that_two_organisations_have_is_asked_about_and_each_is_reached_by_its_own",
            orgs::two_orgs(world, ana),
        )
        .await;
    if world.stage.ground().network().is_none() {
        narrator.say("On loopback there is one user and no disk to lay: the rest is left out.");
        return;
    }
    let _ = narrator
        .step(
            "a_full_disk_is_a_sentence_loses_nothing_and_is_over_when_it_has_room",
            disk::full(world),
        )
        .await;
}

/// What a command said on both its streams, and how it ended.
struct Said {
    code: Option<i32>,
    text: String,
}

async fn said(program: Program, world: &World) -> Outcome<Said> {
    let mut process = program.start(&world.stage)?;
    let status = process.ended(LIMIT).await?;
    let text = format!("{}{}", process.stdout(), process.stderr());
    println!("  {status}: {}", text.trim());
    Ok(Said {
        code: status.code(),
        text,
    })
}

/// The codes of all problems that `tidegate status --json` knows.
fn codes(status: &Value) -> Vec<String> {
    let problems = status["problems"].as_array().into_iter().flatten();
    let code = |problem: &Value| problem["code"].as_str().map(str::to_owned);
    problems.filter_map(code).collect()
}

/// Waits until a question has the answer that it should have.
async fn until<T: std::fmt::Debug>(
    mut ask: impl AsyncFnMut() -> Outcome<T>,
    fits: impl Fn(&T) -> bool,
) -> Outcome<T> {
    let end = Instant::now() + LIMIT;
    loop {
        let answer = ask().await?;
        if fits(&answer) {
            return Ok(answer);
        }
        if Instant::now() > end {
            return Err(Trouble::new(format!("it stays like this: {answer:?}")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A program's words as JSON.
async fn json(program: Program, world: &World) -> Outcome<Value> {
    let text = program.output(&world.stage, LIMIT).await?;
    serde_json::from_str(&text).doing(format!("read {text}"))
}
