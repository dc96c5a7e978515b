//! The authority is gone, and a relay of its own is left: the outlet comes back by its chain, people get in while their
//! credentials last, and nobody afterwards (PROTOCOL section 10). Played with keys in the catalogue and with a ticket.

use std::process::ExitCode;
use std::time::Instant;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::{Outcome, Stage, clock, scene};

#[path = "trouble/ana.rs"]
#[allow(dead_code)] // what other plays need of her
mod ana;
#[path = "absence/gone.rs"]
mod gone;

fn main() -> ExitCode {
    perform_if_asked("absence", both_ways)
}

async fn both_ways(narrator: &Narrator) -> Outcome<()> {
    let by_ticket = play(narrator, true).await;
    let by_its_keys = play(narrator, false).await;
    by_ticket.and(by_its_keys)
}

async fn play(narrator: &Narrator, by_ticket: bool) -> Outcome<()> {
    let stage = Stage::set()?;
    clock::hang_up(&stage)?;
    let setting = scene::set_on(narrator, stage, |plan| {
        let plan = plan.with_its_own_relay();
        match by_ticket {
            true => plan.with_an_outlet_by_ticket(),
            false => plan,
        }
    });
    let what = match by_ticket {
        true => "the stage is set, with a relay of its own and an outlet by ticket",
        false => "the stage is set, with a relay of its own and an outlet by its keys",
    };
    let mut world = narrator.step(what, setting).await?;
    let ready = Instant::now();
    let ana = narrator
        .step("ana joins and signs in", ana::Ana::arrive(&world))
        .await?;
    let agent = narrator
        .step(
            "her_query_goes_through_the_outlet",
            gone::present(&world, &ana),
        )
        .await?;
    narrator
        .step(
            "the_outlet_comes_back_by_its_chain_when_its_pass_has_run_out",
            gone::pass_runs_out(&mut world, &ana, ready),
        )
        .await?;
    narrator
        .step(
            "an_outlet_program_that_starts_without_the_authority_lets_her_in",
            gone::outlet_restarts(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "a_relay_that_starts_without_the_authority_admits_both_again",
            gone::relay_restarts(&mut world, &ana),
        )
        .await?;
    narrator
        .step(
            "when_her_credential_has_run_out_she_is_told_so",
            gone::credential_runs_out(&world, &ana),
        )
        .await?;
    narrator
        .step(
            "when_the_authority_is_back_she_gets_in_again",
            gone::authority_returns(&mut world, &ana),
        )
        .await?;
    let agent = narrator
        .step(
            "an_outlet_whose_clock_is_ten_minutes_behind_lets_nobody_in",
            gone::the_outlet_is_behind(&world, &ana, agent),
        )
        .await?;
    narrator
        .step(
            "a_hub_whose_clock_is_ten_minutes_ahead_ends_nothing",
            gone::the_hub_is_ahead(&world, &ana),
        )
        .await?;
    narrator
        .step("nothing is left", gone::nothing_is_left(world, agent, ana))
        .await
}
