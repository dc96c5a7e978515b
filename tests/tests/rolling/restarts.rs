//! Each restart: who is told to end, how soon and how well it does, and what becomes of the copy that runs.
//! A copy that goes on is compared by its checksum with one that nothing happened to.

use std::time::{Duration, Instant};

use tidegate_tests::Process;
use tidegate_tests::company::{Relay, SERVICE_PORT};
use tidegate_tests::process::Signal;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;

use super::ana::{Ana, must_say};

/// Ends a wait in vain.
const LIMIT: Duration = Duration::from_secs(120);
/// What a server that is told to end promises.
const ENDS: Duration = Duration::from_secs(5);
/// How long the database may still be busy for a program that has been told that it is over.
const ALONE: Duration = Duration::from_secs(2);
/// What is copied: numbers and what follows from them, some 200 MB.
const ROWS: &str = "select g, md5(g::text) from generate_series(1, 5000000) g";
const DRAINS: &str = "is draining";

/// She connects while the hub alone is there, so that it carries what she begins with. Then the other relay is there too.
pub(crate) async fn over_the_hub(world: &mut World, ana: &Ana) -> Outcome<Process> {
    let stage = world.stage.clone();
    let process = &mut relay(world)?.process;
    process.signal(Signal::TERM)?;
    process.ended(ENDS).await?;
    let agent = ana.connect(world).await?;
    let relay = relay(world)?;
    relay.start_again(&stage).await?;
    admits(&relay.process, "Outlet").await?;
    admits(&relay.process, "Agent").await?;
    Ok(agent)
}

/// First the hub, with the relay in it: what it carried goes on over the other relay, while the hub is still away. Then that
/// other one, once the hub is back. Then the hub again, with nobody else there: the portal waits until it is back.
pub(crate) async fn relays(world: &mut World, ana: &Ana) -> Outcome<()> {
    let quiet = start(world, ana)?.ended_well().await?;
    let mut copy = start(world, ana)?;
    let stage = world.stage.clone();

    copy.runs(world).await?;
    let leaving = Leaving::of(world, Server::Hub).await?;
    println!("  hub: {}", leaving.goes_on(world, &copy).await?);
    world.company.hub.start_again(&stage).await?;
    admits(&world.company.hub.process, "Outlet").await?;

    copy.runs(world).await?;
    let leaving = Leaving::of(world, Server::Relay).await?;
    println!("  relay: {}", leaving.goes_on(world, &copy).await?);

    copy.runs(world).await?;
    let leaving = Leaving::of(world, Server::Hub).await?;
    world.company.hub.start_again(&stage).await?;
    println!("  hub, alone: {}", leaving.goes_on(world, &copy).await?);

    let disturbed = copy.ended_well().await?;
    relay(world)?.start_again(&stage).await?;
    match disturbed == quiet {
        true => Ok(()),
        false => Err(Trouble::new(format!("not `{quiet}` but `{disturbed}`"))),
    }
}

#[derive(Clone, Copy)]
enum Server {
    Hub,
    Relay,
}

/// A server that was told to end, and has.
struct Leaving {
    told: Instant,
    gone: Duration,
    /// Resumptions before.
    before: usize,
}

impl Leaving {
    /// In time, in good order, and it said what it does.
    async fn of(world: &mut World, server: Server) -> Outcome<Self> {
        let before = recorded(world, "portal-resumed")?;
        let process = match server {
            Server::Hub => &mut world.company.hub.process,
            Server::Relay => &mut relay(world)?.process,
        };
        let told = Instant::now();
        process.signal(Signal::TERM)?;
        let status = process.ended(ENDS).await?;
        let gone = told.elapsed();
        must_say(&process.stderr(), &[DRAINS])?;
        match status.success() {
            true => Ok(Self { told, gone, before }),
            false => Err(Trouble::new(format!("it ended with {status}"))),
        }
    }

    /// Waits until the outlet has the portal over another way.
    async fn goes_on(self, world: &World, copy: &Copy) -> Outcome<String> {
        while recorded(world, "portal-resumed")? == self.before {
            if self.told.elapsed() > LIMIT {
                let said = copy.0.stderr();
                return Err(Trouble::new(format!(
                    "the copy did not go on elsewhere; it said: {said}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (gone, on) = (self.gone.as_millis(), self.told.elapsed().as_millis());
        Ok(format!(
            "gone after {gone} ms, the copy goes on after {on} ms"
        ))
    }
}

fn relay(world: &mut World) -> Outcome<&mut Relay> {
    world.company.relay.as_mut().doing("find the relay")
}

/// Waits until somebody in this role has a link to this relay since its start, or there would be nowhere to go.
async fn admits(relay: &Process, role: &str) -> Outcome<()> {
    let began = Instant::now();
    let admitted = |line: &str| line.contains("a link was admitted") && line.contains(role);
    while !relay.stderr().lines().any(admitted) {
        if began.elapsed() > LIMIT {
            return Err(Trouble::new(format!("no {role} came back to the relay")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// How many of these the outlet has written down.
fn recorded(world: &World, kind: &str) -> Outcome<usize> {
    let events = world.company.outlet.events()?;
    let of = events.iter().filter(|event| event["what"]["kind"] == kind);
    Ok(of.count())
}

struct Copy(Process);

/// One copy out of the database whose bytes are summed up.
fn start(world: &World, ana: &Ana) -> Outcome<Copy> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let copy = format!("\\copy ({ROWS}) to program 'sha256sum >&2'");
    let psql = ana.laptop.program("copy", "psql");
    let psql = psql.args(["-XAt", "-v", "ON_ERROR_STOP=1", "-c", &copy, &url]);
    Ok(Copy(psql.start(&world.stage)?))
}

impl Copy {
    /// Waits until it is seen running; it must not be over.
    async fn runs(&mut self, world: &World) -> Outcome<()> {
        let began = Instant::now();
        while world.warehouse.running_queries().await? == 0 {
            if began.elapsed() > LIMIT / 8 {
                return Err(Trouble::new(format!("no copy runs: {}", self.0.stderr())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What is waited for is bytes on their way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    }

    /// Its sum.
    async fn ended_well(mut self) -> Outcome<String> {
        let status = self.0.ended(LIMIT).await?;
        let said = format!("{}{}", self.0.stdout(), self.0.stderr());
        match status.success() {
            true => Ok(said),
            false => Err(Trouble::new(said)),
        }
    }
}

/// What runs at an outlet cannot go on without it, kept or not: the session at the database is its own.
pub(crate) async fn outlet(world: &mut World, ana: &Ana) -> Outcome<()> {
    let mut copy = start(world, ana)?;
    copy.runs(world).await?;
    let told = Instant::now();
    let process = &mut world.company.outlet.process;
    process.signal(Signal::TERM)?;
    let status = process.ended(ENDS).await?;
    println!("  the outlet ended after {} ms", told.elapsed().as_millis());

    is_told(world, copy, "TG-7004").await?;
    if !status.success() {
        return Err(Trouble::new(format!("the outlet ended with {status}")));
    }
    world.company.outlet.start_again().await
}

pub(crate) async fn agent(world: &World, ana: &Ana, mut agent: Process) -> Outcome<()> {
    let mut copy = start(world, ana)?;
    copy.runs(world).await?;
    let told = Instant::now();
    agent.signal(Signal::TERM)?;
    let status = agent.ended(ENDS).await?;
    println!("  the agent ended after {} ms", told.elapsed().as_millis());

    is_told(world, copy, "TG-70").await?;
    match status.success() {
        true => Ok(()),
        false => Err(Trouble::new(format!("the agent ended with {status}"))),
    }
}

/// The program has the reason, the database is left alone, and the record is whole and has no portal without its end.
async fn is_told(world: &World, mut copy: Copy, code: &str) -> Outcome<()> {
    copy.0.ended(ENDS).await.doing("end the copy")?;
    println!("  psql: {}", copy.0.stderr().trim());
    must_say(&copy.0.stderr(), &["FATAL", code])?;
    world.warehouse.is_left_alone(ALONE).await?;
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true", "\"open\":0"])
}
