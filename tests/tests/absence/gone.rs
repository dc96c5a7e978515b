//! Each step of the absence: what is there, what ran out, and what a program of hers is told.
//! Clocks are turned, so that ten minutes need not be waited for: the company's so far that the outlet's pass has run out
//! and her younger papers have not; then everybody's.

use std::time::{Duration, Instant};

use tidegate_tests::Process;
use tidegate_tests::clock::{self, Wall};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(30);
/// A pass, and a credential, in seconds.
const LIFE: u64 = 600;
/// Her papers are so much younger than the outlet's.
const YOUNGER: Duration = Duration::from_secs(45);
/// Nobody is shut out for a clock that is so much off, in seconds.
const SKEW: u64 = 60;
/// What has just run out has run out for everybody's clock.
const SURELY: u64 = 3;
/// What the outlet says when a relay has taken it in.
const REGISTERED: &str = "outlet was registered at a relay";
const BY_CHAIN: &str = "by=\"chain\"";

/// Everybody is there: one query, then the authority dies, with the outlet's pass older than her papers.
pub(crate) async fn present(world: &World, ana: &Ana) -> Outcome<Process> {
    let first = ana.connect(world).await?;
    answered(world, ana).await?;
    first.stop(LIMIT).await?;
    // What is waited for is age.
    tokio::time::sleep(YOUNGER).await;
    let agent = ana.connect(world).await?;
    answered(world, ana).await?;
    Ok(agent)
}

/// `ready` is when the outlet had its pass.
pub(crate) async fn pass_runs_out(world: &mut World, ana: &Ana, ready: Instant) -> Outcome<()> {
    world.company.hub.process.kill();
    let relay = world.company.relay.as_ref().doing("find the relay")?;
    let before = relay.process.stderr().matches(BY_CHAIN).count();

    let age = ready.elapsed().as_secs();
    for wall in [Wall::Hub, Wall::Outlet] {
        clock::turn(&world.stage, wall, LIFE + SKEW + SURELY - age).await?;
    }

    until("the relay takes the outlet in by its chain", || {
        relay.process.stderr().matches(BY_CHAIN).count() > before
    })
    .await?;
    comes_back(world, ana).await
}

pub(crate) async fn outlet_restarts(world: &mut World, ana: &Ana) -> Outcome<()> {
    let old = &mut world.company.outlet.process;
    old.signal(tidegate_tests::process::Signal::TERM)?;
    old.ended(LIMIT).await?;
    world.company.outlet.start_again().await?;
    must_say(&world.company.outlet.process.stderr(), &[REGISTERED])?;
    comes_back(world, ana).await?;
    let away = world.company.outlet.events()?;
    let last = away
        .iter()
        .rfind(|event| event["what"]["kind"] == "portal-opened");
    println!(
        "  the outlet's record: {}",
        last.doing("find her portal")?["what"]
    );
    Ok(())
}

pub(crate) async fn relay_restarts(world: &mut World, ana: &Ana) -> Outcome<()> {
    let stage = world.stage.clone();
    let relay = world.company.relay.as_mut().doing("find the relay")?;
    relay.process.kill();
    relay.start_again(&stage).await?;
    must_say(
        &relay.process.stderr(),
        &["relay goes by what its authority said last"],
    )?;
    comes_back(world, ana).await
}

pub(crate) async fn credential_runs_out(world: &World, ana: &Ana) -> Outcome<()> {
    for wall in Wall::ALL {
        clock::turn(&world.stage, wall, LIFE + LIFE).await?;
    }

    let told = ana.query(world, "select 1").await?;

    let words = match told.answer {
        Ok(answer) => return Err(Trouble::new(format!("it was answered: {answer}"))),
        Err(words) => words,
    };
    println!("  after {} ms: {words}", told.took.as_millis());
    must_say(&words, &["TG-1001", "hub"])
}

pub(crate) async fn authority_returns(world: &mut World, ana: &Ana) -> Outcome<()> {
    let stage = world.stage.clone();
    world.company.hub.start_again(&stage).await?;
    comes_back(world, ana).await
}

/// So far a clock may be off that nobody looks after, in seconds.
const OFF: u64 = 600;

/// The outlet believes that it is ten minutes earlier. Papers are from its future then: whoever shows theirs is not let in,
/// and is let in by the same outlet once its clock is right.
pub(crate) async fn the_outlet_is_behind(
    world: &World,
    ana: &Ana,
    agent: Process,
) -> Outcome<Process> {
    agent.stop(LIMIT).await?;
    clock::turn(&world.stage, Wall::Outlet, LIFE + LIFE - OFF).await?;
    let words = ana.fails_to_connect(world, "connect-behind").await?;
    println!("  {words}");
    must_say(&words, &["TG-2005"])?;
    clock::turn(&world.stage, Wall::Outlet, LIFE + LIFE).await?;
    let agent = ana.connect(world).await?;
    answered(world, ana).await?;
    Ok(agent)
}

/// The hub believes that it is ten minutes later. What runs, and what begins by the papers that are there, asks no hub.
pub(crate) async fn the_hub_is_ahead(world: &World, ana: &Ana) -> Outcome<()> {
    let (kept, connection) = ana.enter(world).await.map_err(Trouble::new)?;
    let carrying = tokio::spawn(connection);
    clock::turn(&world.stage, Wall::Hub, LIFE + LIFE + OFF).await?;
    kept.simple_query("select 1").await?;
    answered(world, ana).await?;
    clock::turn(&world.stage, Wall::Hub, LIFE + LIFE).await?;
    kept.simple_query("select 1").await?;
    drop(kept);
    carrying.await.ok();
    answered(world, ana).await
}

/// With an audit that is whole, and no portal in it that has no end. Her agent is told to end: what one that is killed
/// leaves behind waits at the outlet for as long as it keeps portals.
pub(crate) async fn nothing_is_left(world: World, agent: Process, ana: Ana) -> Outcome<()> {
    agent.stop(LIMIT).await?;
    drop(ana);
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true", "\"open\":0"])?;
    world.end().await
}

async fn answered(world: &World, ana: &Ana) -> Outcome<()> {
    let told = ana.query(world, "select count(*) from flights").await?;
    match told.answer {
        Ok(count) if count == "336776" => Ok(()),
        Ok(other) => Err(Trouble::new(format!("there are {other} flights"))),
        Err(words) => Err(Trouble::new(words)),
    }
}

/// Nobody reconnects anything: the agent finds the way by itself.
async fn comes_back(world: &World, ana: &Ana) -> Outcome<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match answered(world, ana).await {
            Ok(()) => return Ok(()),
            Err(words) if Instant::now() > deadline => {
                return Err(Trouble::new(format!("it does not come back: {words}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Outcome<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        if Instant::now() > deadline {
            return Err(Trouble::new(format!("it was waited for in vain: {what}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
