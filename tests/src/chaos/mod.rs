//! Chaos that can be repeated: while programs work through the tunnel, everything between them and the database breaks, in an order that a seed gives.
//! One wrong byte, one silent end, one connection that hangs or is left over, and the run has failed, with the command that repeats it.

mod base;
mod calm;
mod faults;
mod ledger;
mod load;
mod page;
mod programs;
mod verdict;
mod weight;
mod wires;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use faults::{Fault, Kind, counted, schedule};
pub use load::Crowd;
pub use page::Report;

use crate::laptop::Laptop;
use crate::narrator::Narrator;
use crate::process::Process;
use crate::scene::{self, World};
use crate::stage::Stage;
use crate::trouble::{Outcome, Trouble};
use crate::user::User;
use base::Base;
use ledger::Ledger;
use load::Load;
use programs::Programs;
use verdict::Rest;
use weight::Weights;
use wires::Wires;

/// How long the outlet keeps portals, in seconds: idle ones, and those in a transaction.
const KEPT: [u32; 2] = [600, 60];
/// Circuits that the outlet bears: those that died are still counted for a while.
const CIRCUITS: usize = 1_000;
/// How long everybody works before the first fault.
const WARM_UP: Duration = Duration::from_secs(12);

/// Everything that a run follows from.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub faults: usize,
}

impl Plan {
    /// A short one is over in a minute or two, and says little about a crowd.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.faults > 100
    }

    /// A long run has a crowd of 200 sessions.
    #[must_use]
    pub fn crowd(&self) -> Crowd {
        match self.is_long() {
            true => Crowd {
                copies_out: 2,
                copies_in: 2,
                counters: 4,
                sessions: 200,
                rows: 60_000,
            },
            false => Crowd {
                copies_out: 1,
                copies_in: 1,
                counters: 2,
                sessions: 12,
                rows: 30_000,
            },
        }
    }

    #[must_use]
    pub fn command(&self) -> String {
        format!(
            "cargo xtask chaos --seed {} --faults {}",
            self.seed, self.faults
        )
    }
}

/// Plays it on a stage of its own, judges it, and takes the stage down.
///
/// # Errors
/// When the stage does not come up, when something of it cannot be played, and when anything was wrong.
pub async fn play(narrator: &Narrator, plan: Plan) -> Outcome<Report> {
    println!("seed {}, {} faults", plan.seed, plan.faults);
    let played = Box::pin(act(narrator, plan)).await;
    if let Err(trouble) = &played {
        println!("\n{trouble}\nThis repeats it: {}", plan.command());
    }
    played
}

async fn act(narrator: &Narrator, plan: Plan) -> Outcome<Report> {
    let stage = Stage::set()?;
    let setting = scene::set_on(narrator, stage, |company| {
        company
            .keeps_portals_for(KEPT)
            .with_its_own_relay()
            .bears_circuits(CIRCUITS)
    });
    let mut world = narrator
        .step("the stage is set, with two relays", setting)
        .await?;
    let (laptop, agent) = narrator
        .step("ana is connected", arrives(&world, plan))
        .await?;
    let base = Base::of(&world.warehouse).await?;
    base.prepare(&plan.crowd().tables()).await?;
    let before = narrator
        .step(
            "a crowd comes and goes",
            warms_up(&world, &agent, &base, plan),
        )
        .await?;
    let storm = narrator
        .step(
            "all that can break breaks while everybody works",
            storm(&mut world, &agent, &base, plan),
        )
        .await?;
    let ledger = Arc::clone(&storm.ledger);
    let judging = verdict::judge((&world, &agent), &base, &before, &storm.counted, &ledger);
    let after = narrator.step("nothing is left", judging).await?;
    let report = Report::of(plan, &storm, before.weights, after.weights);
    narrator.say(report.table());
    drop((base, agent, laptop));
    world.end().await?;
    match report.wrong_in_words() {
        None => Ok(report),
        Some(wrong) => Err(Trouble::new(wrong)),
    }
}

async fn arrives(world: &World, plan: Plan) -> Outcome<(Laptop, Process)> {
    let stage = &world.stage;
    let laptop = Laptop::switch_on(stage, &world.ca).await?;
    let config = laptop.home().join(".config");
    std::fs::create_dir_all(config.join("tidegate"))?;
    let crowd = plan.crowd();
    let most = crowd.sessions + crowd.copies_in + crowd.copies_out + crowd.counters + 50;
    let settings = format!("max_connections = {most}\n");
    std::fs::write(config.join("tidegate/agent.toml"), settings)?;
    stage.run().give_tree(User::Analyst, &config)?;
    let agent = laptop.arrive(&world.company, &world.provider.ana).await?;
    Ok((laptop, agent))
}

/// Everything that a first crowd brings about and that stays for the next one is there afterwards.
async fn warms_up(world: &World, agent: &Process, base: &Base, plan: Plan) -> Outcome<Rest> {
    let ledger = Arc::new(Ledger::default());
    let crowd = Crowd {
        counters: 0,
        ..plan.crowd()
    };
    let load = Load::begin(&world.stage, &ledger, crowd, plan.seed ^ 1);
    tokio::time::sleep(WARM_UP).await;
    load.end().await?;
    if let Some((wrong, _)) = ledger.book().wrong.first() {
        return Err(Trouble::new(format!("before the first fault: {wrong}")));
    }
    Rest::now(world, agent, base).await
}

/// What came of the faults.
struct Storm {
    faults: Vec<Fault>,
    has_wires: bool,
    took: Duration,
    calm: Vec<Duration>,
    heaviest: Weights,
    counted: Vec<load::Counted>,
    ledger: Arc<Ledger>,
}

async fn storm(world: &mut World, agent: &Process, base: &Base, plan: Plan) -> Outcome<Storm> {
    let stage = Arc::clone(&world.stage);
    let has_wires = stage.ground().network().is_some();
    if !has_wires {
        println!("  There are no wires here to be harmed: only programs are.");
    }
    let faults = schedule(plan.seed, plan.faults, has_wires);
    let ledger = Arc::new(Ledger::default());
    let begun = Instant::now();
    let load = Load::begin(&stage, &ledger, plan.crowd(), plan.seed);
    let mut wires = Wires::of(&stage);
    let mut programs = Programs {
        stage: Arc::clone(&stage),
        company: &mut world.company,
        agent,
        ledger: Arc::clone(&ledger),
    };
    let mut heaviest = Weights::new();
    let mut calm = vec![calm::after(0, &ledger, base).await?];
    for (round, faults) in faults.chunks(faults::ROUND).enumerate() {
        let (of_wires, of_programs): (Vec<_>, Vec<_>) =
            faults.iter().partition(|fault| fault.kind.is_of_wires());
        let (harmed, broken) = tokio::join!(wires.suffer(&of_wires), programs.suffer(&of_programs));
        harmed.and(broken)?;
        calm.push(calm::after(round + 1, &ledger, base).await?);
        for (name, now) in programs.weights()? {
            heaviest.entry(name).or_default().at_least(now);
        }
        tell(round + 1, &calm, &ledger);
    }
    Ok(Storm {
        counted: load.end().await?,
        took: begun.elapsed(),
        faults,
        has_wires,
        calm,
        heaviest,
        ledger,
    })
}

fn tell(round: usize, calm: &[Duration], ledger: &Ledger) {
    let book = ledger.book();
    println!(
        "  round {round}: all went on {} ms later; {} MB out, {} MB in, {} commits, {} answers, {} wrong",
        calm.last().map_or(0, Duration::as_millis),
        book.carried.bytes_out / 1_000_000,
        book.carried.bytes_in / 1_000_000,
        book.carried.committed,
        book.carried.answers,
        book.wrongs
    );
}
