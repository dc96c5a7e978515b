//! Trouble on the laptop: a port that is taken, a clock that is wrong, a keyring that is not there, an end in the middle of a copy.
//! Nothing may be opened, and the words must say what to do.

use std::time::{Duration, Instant};

use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::Hands;
use tidegate_tests::process::Signal;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::{Laptop, Program, User};

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(40);

pub(crate) async fn port_taken(world: &World, ana: &Ana) -> Outcome<()> {
    let port = SERVICE_PORT.to_string();
    let holder = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('held', flush=True); time.sleep(600)";
    let mut other = ana
        .laptop
        .program("holder", world.stage.python())
        .args(["-c", holder, &port])
        .start(&world.stage)?;
    other.says("held", LIMIT).await?;

    let said = ana.fails_to_connect(world, "connect-taken").await?;

    println!("  {}", said.trim());
    must_say(&said, &["TG-6001", &port, "python"])
}

pub(crate) async fn agent_stops_in_a_copy(world: &World, ana: &Ana) -> Outcome<()> {
    let mut agent = ana.connect(world).await?;
    let mut copy = ana.copy(world).await?;
    let told = Instant::now();
    agent.signal(Signal::TERM)?;

    agent
        .ended(Duration::from_secs(5))
        .await
        .doing("end the agent in time")?;
    println!("  the agent ended after {} ms", told.elapsed().as_millis());
    copy.ended(LIMIT).await.doing("end the copy")?;
    println!("  psql: {}", copy.stderr().trim());
    must_say(&copy.stderr(), &["TG-7005"])?;
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    must_say(
        &world.company.outlet.verify_audit().await?,
        &["\"whole\":true", "\"open\":0"],
    )
}

pub(crate) async fn clock_off(world: &World, ana: &Ana) -> Outcome<()> {
    for wrong in ["+10m", "-10m"] {
        clock_off_by(world, ana, wrong).await.doing(wrong)?;
    }
    Ok(())
}

async fn clock_off_by(world: &World, ana: &Ana, wrong: &str) -> Outcome<()> {
    let words = [
        "-f",
        wrong,
        &*ana.tidegate.to_string_lossy(),
        "connect",
        SERVICE,
    ]
    .map(str::to_owned);
    let faked = ana
        .laptop
        .program("connect-clock", "faketime")
        .args(words)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let asked = |world: &World| {
        world
            .company
            .hub
            .process
            .stderr()
            .matches("credential was issued")
            .count()
    };
    let before = asked(world);
    let mut agent = faked.start(&world.stage)?;

    let ended = agent.ended(Duration::from_secs(40)).await;
    let said = agent.stderr();
    println!("  {}", said.trim());
    if ended.doing(format!("see it end: {said}"))?.success() {
        return Err(Trouble::new("it connected with a wrong clock"));
    }
    // To a wrong clock every new credential looks old: an agent that believes it asks for ever.
    let times = asked(world) - before;
    if times > 2 {
        return Err(Trouble::new(format!("it asked for {times} credentials")));
    }
    must_say(&said, &["TG-1006"])
}

/// A laptop of its own: first without a bus to find a keyring on, then with a keyring that nobody unlocked.
pub(crate) async fn no_keyring(world: &World) -> Outcome<()> {
    let laptop =
        Laptop::switch_on_for(&world.stage, &world.ca, User::Elsewhere, Hands::Driver).await?;
    let tidegate = world.stage.binary("tidegate")?;
    let link = world.company.admin.ticket(&world.provider.bob).await?;

    let join = laptop
        .program("join-absent", &tidegate)
        .arg("join")
        .stdin(&link);
    let absent = ends(
        join.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"),
        world,
    )
    .await?;
    println!("  {}", absent.trim());
    laptop.lock_the_keyring().await?;
    let locked = ends(
        laptop
            .program("join-locked", &tidegate)
            .arg("join")
            .stdin(&link),
        world,
    )
    .await?;
    println!("  {}", locked.trim());
    must_say(&absent, &["TG-4006"])?;
    must_say(&locked, &["TG-4005"])
}

/// Everything a command says, however it ends.
async fn ends(program: Program, world: &World) -> Outcome<String> {
    let mut process = program.start(&world.stage)?;
    let status = process.ended(Duration::from_secs(40)).await?;
    Ok(format!(
        "{status}\n{}{}",
        process.stdout(),
        process.stderr()
    ))
}
