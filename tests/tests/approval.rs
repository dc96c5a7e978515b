//! Access that is asked for, with two people and the real programs: ask, approve less, go on by itself, end with a word.
//! A play: the steps need one another, so they are played in order and the first that fails ends it.

#[path = "approval/desk.rs"]
mod desk;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use desk::{Desk, LIMIT, both, psql};
use serde_json::Value;
use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::perform::perform_if_asked;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Process, scene};
use tokio::time::sleep;

/// What Bob gives: the shortest there is; and what the rules leave to what runs then.
const GIVEN: Duration = Duration::from_secs(60);
const FINISH: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    perform_if_asked("approval", play)
}

async fn play(narrator: &Narrator) -> Outcome<()> {
    let world = narrator
        .step("the stage is set", scene::set_where_people_ask(narrator))
        .await?;
    let owners = ["Everyone", "data-owners"];
    world.provider.set_groups(&world.provider.bob, &owners)?;
    let (ana, bob) = narrator
        .step("ana and bob join and sign in", both(&world))
        .await?;
    let (agent, mut psql) = narrator
        .step("her_psql_waits_and_is_told_what_for", waits(&world, &ana))
        .await?;
    let id = narrator
        .step("she_asks_for_two_hours", asks(&ana, &psql))
        .await?;
    let given = narrator
        .step("bob_approves_a_minute", approves(&bob, &id))
        .await?;
    narrator
        .step("her_psql_goes_on_by_itself", goes_on(&mut psql, given))
        .await?;
    narrator
        .step(
            "more_time_is_asked_for_and_given_while_a_query_runs",
            extends(&world, &ana, &bob, &id),
        )
        .await?;
    narrator
        .step(
            "after_a_minute_nothing_begins_what_runs_may_finish_and_then_all_ends_with_a_word",
            ends(&world, &ana, &bob, agent),
        )
        .await?;
    narrator
        .step(
            "the_hub_tells_the_whole_story_of_hub_and_outlet",
            is_on_record(&world, &id),
        )
        .await?;
    drop((psql, ana, bob));
    narrator.step("nothing is left", world.end()).await
}

async fn waits(world: &World, ana: &Desk) -> Outcome<(Process, Process)> {
    let agent = ana.laptop.program("connect", &ana.tidegate);
    let mut agent = agent.args(["connect", SERVICE]).start(&world.stage)?;
    agent.says("waits for approval", LIMIT).await?;
    let mut psql = psql(world, ana, "waiting", "select 42")?;
    psql.says("somebody has to approve this first", LIMIT)
        .await?;
    Ok((agent, psql))
}

async fn asks(ana: &Desk, psql: &Process) -> Outcome<String> {
    let ask = [
        "request",
        SERVICE,
        "--for",
        "2h",
        "--because",
        "INC-42 churn numbers",
        "--json",
    ];
    let asked: Value = serde_json::from_str(&ana.says("request", &ask).await?)?;
    let request = &asked["requests"][0];
    println!("  {}", psql.stderr().trim());
    if request["state"] != "waiting" || request["seconds"] != 7200 {
        return Err(Trouble::new(format!("it is not waiting: {asked}")));
    }
    let id = request["id"].as_str().doing("read the request's id")?;
    Ok(id.to_owned())
}

async fn approves(bob: &Desk, id: &str) -> Outcome<Instant> {
    let waiting = bob.says("requests", &["requests"]).await?;
    println!("{}", waiting.trim_end());
    if !waiting.contains("waits for you") || !waiting.contains("INC-42 churn numbers") {
        return Err(Trouble::new(format!("bob does not see it: {waiting}")));
    }
    let wider = ["approve", id, "--for", "3h"];
    if bob.says("approve-wider", &wider).await.is_ok() {
        return Err(Trouble::new("more was given than was asked for"));
    }
    // No agent of his runs that could remember what was printed, and nobody is there to say that it is the one.
    if bob
        .says("approve-short", &["approve", &id[..8]])
        .await
        .is_ok()
    {
        return Err(Trouble::new("letters alone were enough"));
    }
    let less = ["approve", id, "--for", "1m"];
    let said = bob.says("approve", &less).await?;
    println!("  {}", said.trim());
    Ok(Instant::now())
}

async fn goes_on(psql: &mut Process, given: Instant) -> Outcome<()> {
    let status = psql.ended(LIMIT).await?;
    println!("  {} ms after the approval", given.elapsed().as_millis());
    println!("  {}", psql.stderr().trim().replace('\n', "\n  "));
    if status.success() && psql.stdout().trim() == "42" {
        Ok(())
    } else {
        Err(Trouble::new(format!("{status}: {}", psql.stderr())))
    }
}

/// By the same rules and the same person; what runs goes on, and the end that follows is the one of the second approval.
async fn extends(world: &World, ana: &Desk, bob: &Desk, id: &str) -> Outcome<()> {
    let mut running = psql(world, ana, "running", "select pg_sleep(10), 'still'")?;
    let because = "INC-42 goes on";
    let more = [
        "grant",
        "extend",
        id,
        "--for",
        "1m",
        "--because",
        because,
        "--json",
    ];
    let asked: Value = serde_json::from_str(&ana.says("extend", &more).await?)?;
    let requests = asked["requests"].as_array().doing("read the requests")?;
    let longer = requests.iter().find(|one| one["extends"] == id);
    let longer = longer.and_then(|one| one["id"].as_str());
    let longer = longer.ok_or_else(|| Trouble::new(format!("not asked for: {asked}")))?;
    let shown = bob.says("requests-again", &["requests"]).await?;
    println!("{}", shown.trim_end());
    if !shown.contains(because) {
        return Err(Trouble::new(format!("bob does not see it: {shown}")));
    }
    bob.says("approve-more", &["approve", longer]).await?;
    let status = running.ended(LIMIT).await?;
    if !status.success() || !running.stdout().contains("still") {
        return Err(Trouble::new(format!("it was cut: {}", running.stderr())));
    }
    let until = Instant::now() + LIMIT;
    loop {
        let held = ana.says("grants-both", &["grants", "--json"]).await?;
        let held: Value = serde_json::from_str(&held)?;
        let all = held["requests"].as_array().doing("read the grants")?;
        let second = all.iter().find(|one| one["id"] == longer);
        if second.is_some_and(|one| one["granted"]["in_use"] == true) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Trouble::new(format!(
                "the second one is not in use: {held}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What began in time is answered after the end, and what would follow it never begins.
async fn finishes(world: &World, ana: &Desk) -> Outcome<()> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let both = [
        "-X",
        "-At",
        "-c",
        "select pg_sleep(75), 'first'",
        "-c",
        "select 'second'",
    ];
    let both = ana.laptop.program("both", "psql").args(both).args([&url]);
    let mut both = both.start(&world.stage)?;
    let status = both.ended(GIVEN + FINISH).await?;
    let (out, why) = (both.stdout(), both.stderr());
    println!("  {status}: {}", why.trim().replace('\n', "\n  "));
    let right = out.contains("first") && !out.contains("second");
    match right && why.contains("the time that was approved is over") {
        true => Ok(()),
        false => Err(Trouble::new(format!("{status}: {out}: {why}"))),
    }
}

async fn ends(world: &World, ana: &Desk, bob: &Desk, mut agent: Process) -> Outcome<()> {
    let mut long = psql(world, ana, "long", "select pg_sleep(600)")?;
    let first = Instant::now();
    let held = bob.says("grants", &["grants"]).await?;
    println!("{}", held.trim_end());
    finishes(world, ana).await?;
    let status = long.ended(GIVEN + FINISH + LIMIT).await?;
    let lasted = first.elapsed();
    println!("  the long one lasted {} s", lasted.as_secs());
    if lasted < GIVEN + Duration::from_secs(30) {
        return Err(Trouble::new("what ran was not left to finish"));
    }
    let said = long.stderr();
    println!("  {status}: {}", said.trim().replace('\n', "\n  "));
    if status.success() || !said.contains("the time that was approved is over") {
        return Err(Trouble::new(format!("it did not end with a word: {said}")));
    }
    // The door closes too, and says why.
    agent.ended(LIMIT).await?;
    println!("  {}", agent.stderr().trim().replace('\n', "\n  "));
    if agent.stderr().contains("TG-7020") {
        Ok(())
    } else {
        Err(Trouble::new(format!("the agent said: {}", agent.stderr())))
    }
}

/// What the outlet recorded is at the hub a moment later, and each thing stands where it happened.
async fn is_on_record(world: &World, id: &str) -> Outcome<()> {
    let (stage, hub) = (&world.stage, &world.company.hub);
    let story = [
        "asked for warehouse",
        "approved by",
        "used for the first time",
        "opened warehouse",
        "closed warehouse",
    ];
    let until = Instant::now() + LIMIT;
    let all = loop {
        let all = hub.log(stage, "log", &["--grant", id]).await?;
        let is_told = story.iter().all(|part| all.contains(part));
        if is_told || Instant::now() > until {
            break all;
        }
        sleep(Duration::from_millis(300)).await;
    };
    println!("  {}", all.trim().replace('\n', "\n  "));
    let missing: Vec<_> = story.iter().filter(|part| !all.contains(**part)).collect();
    if !missing.is_empty() {
        return Err(Trouble::new(format!(
            "not on record at the hub: {missing:?}"
        )));
    }
    let closed = [
        "--who",
        world.provider.ana.subject,
        "--kind",
        "portal-closed",
    ];
    let closed = hub.log(stage, "closed", &closed).await?;
    match closed.lines().count() {
        0 => Err(Trouble::new("no closing of hers is on record at the hub")),
        _ => Ok(()),
    }
}
