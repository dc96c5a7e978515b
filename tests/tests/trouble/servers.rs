//! Trouble at the servers: an outlet that is dead, one whose computer is gone, one that is told to stop, a key file that is open to others.
//! After each of them the same connection must work again without anybody touching the laptop.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tidegate_tests::process::Signal;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::{Program, Site, User};

use super::ana::{Ana, at_most, must_say};
use super::database::AT_ONCE;

const LIMIT: Duration = Duration::from_secs(10);
/// A computer that is gone says nothing; whoever waits for it is told after this long at most.
const SILENCE: Duration = Duration::from_secs(8);
/// How long it may take until both ends have noticed that a cable is back.
const PLUGGED_IN: Duration = Duration::from_secs(60);
/// An outlet keeps portals for a minute; this is more.
const KEPT: Duration = Duration::from_secs(70);
const REFUSALS: usize = 3;

pub(crate) async fn dead_outlet(world: &mut World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    ana.query(world, "select 1")
        .await?
        .answer
        .map_err(Trouble::new)?;
    world.company.outlet.process.kill();

    let told = ana.is_refused(world, "TG-1004", AT_ONCE).await?;
    println!("  program {told}");

    world.company.outlet.start_again().await?;
    comes_back(world, ana, LIMIT).await?;
    drop(agent);
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true"])
}

/// Not only the outlet's program: its computer is gone, and nothing that was connected to it ends.
pub(crate) async fn vanished_outlet(world: &mut World, ana: &Ana) -> Outcome<()> {
    let Some(network) = world.stage.ground().network() else {
        println!("  not played: the outlet has no computer of its own here");
        return Ok(());
    };
    let agent = ana.connect(world).await?;
    ana.query(world, "select 1")
        .await?
        .answer
        .map_err(Trouble::new)?;

    let unplugged = network.unplug(Site::Private)?;
    let first = ana.query(world, "select 1").await;
    let second = ana.is_refused(world, "TG-1004", AT_ONCE).await;
    drop(unplugged);

    println!("  program {}", first?.must_refuse("TG-1004", SILENCE)?);
    println!("  the next ones {}", second?);
    comes_back(world, ana, PLUGGED_IN).await?;
    agent.stop(LIMIT).await?;
    // That may have gone over a circuit from before, which slept through it: the relay's bell is another thing.
    let since = Instant::now();
    while let Err(trouble) = comes_back_connected(world, ana).await {
        if since.elapsed() > PLUGGED_IN {
            return Err(trouble);
        }
    }
    println!("  connected {} ms later", since.elapsed().as_millis());
    world.warehouse.is_left_alone(LIMIT).await?;
    nothing_stays_open(world).await?;
    // A link that slept through all this may still be given up for a new one, and for that moment nothing is online.
    world.company.outlet.restart().await
}

/// The owner's rules let her in no more while she is connected.
pub(crate) async fn forbidden(world: &mut World, ana: &Ana) -> Outcome<()> {
    let before = world.company.outlet.read("owner.cedar")?;
    let mut told = Vec::new();
    for _ in 0..REFUSALS {
        let agent = ana.connect(world).await?;
        ana.query(world, "select 1")
            .await?
            .answer
            .map_err(Trouble::new)?;
        rules_are(world, &before.replace("Data Science", "Finance")).await?;
        let refused = ana.query(world, "select 1").await;
        rules_are(world, &before).await?;
        told.push(refused?);
        drop(agent);
    }

    println!("  program {}", at_most(told, "TG-2001", AT_ONCE)?);
    comes_back_connected(world, ana).await
}

/// Rules of another day: the outlet starts with them. Nobody who was connected hears of it before they ask.
async fn rules_are(world: &mut World, rules: &str) -> Outcome<()> {
    let outlet = &mut world.company.outlet;
    outlet.write("owner.cedar", rules)?;
    outlet.process.kill();
    outlet.start_again().await
}

async fn comes_back_connected(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let answer = ana.query(world, "select 42").await?.answer;
    // Told to end: what one that is killed leaves behind waits at the outlet for as long as it keeps portals.
    agent.stop(LIMIT).await?;
    answer.map(drop).map_err(Trouble::new)
}

pub(crate) async fn outlet_stops_in_a_copy(world: &mut World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let mut copy = ana.copy(world).await?;
    world.company.outlet.process.signal(Signal::TERM)?;

    copy.ended(LIMIT).await.doing("end the copy")?;
    let status = world.company.outlet.process.ended(LIMIT).await?;
    println!("  psql: {}", copy.stderr().trim());
    must_say(&copy.stderr(), &["TG-7004"])?;
    if !status.success() {
        return Err(Trouble::new(format!("the outlet ended with {status}")));
    }
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    nothing_is_open(world).await?;
    world.company.outlet.start_again().await?;
    comes_back(world, ana, LIMIT).await?;
    // As people end it: what is killed between a program's last word and the outlet's answer is waited for.
    agent.stop(LIMIT).await.map(drop)
}

/// As `nothing_is_open`, after what may have cut off an agent from a portal that it never heard of: that waits for as long as the
/// outlet keeps portals, and no longer.
async fn nothing_stays_open(world: &World) -> Outcome<()> {
    let since = Instant::now();
    loop {
        match nothing_is_open(world).await {
            Err(_) if since.elapsed() < KEPT => tokio::time::sleep(Duration::from_secs(1)).await,
            left => return left,
        }
    }
}

/// The record is whole, and says of every portal how it ended.
async fn nothing_is_open(world: &World) -> Outcome<()> {
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true", "\"open\":0"])
}

/// Nobody reconnects anything: the agent finds the outlet again by itself.
async fn comes_back(world: &World, ana: &Ana, limit: Duration) -> Outcome<()> {
    let until = Instant::now() + limit;
    loop {
        match ana.query(world, "select 42").await?.answer {
            Ok(_) => return Ok(()),
            Err(words) if Instant::now() > until => {
                return Err(Trouble::new(format!("it does not come back: {words}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A second hub on the keys of the first, one of which others can read.
pub(crate) async fn readable_key(world: &World) -> Outcome<()> {
    let key = key_file(&world.company.hub.data).doing("find a key file of the hub")?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
    let binary = world.stage.binary("tidegate")?;
    let config = world.stage.run().home(User::Hub).join("hub.toml");
    let keys = Program::new("hub-open-key", Site::Internet, User::Hub, binary)
        .args(["hub", "keys", "--data"]);
    let refused = keys
        .arg(&world.company.hub.data)
        .output(&world.stage, LIMIT)
        .await;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;

    let said = refused
        .err()
        .doing(format!("see it refused with {}", config.display()))?
        .to_string();
    println!("  {}", said.trim());
    let name = key
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    must_say(&said, &[&name])
}

/// The first private file below a folder that is a key by its name.
fn key_file(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let here = files
        .iter()
        .find(|file| file.is_file() && file.to_string_lossy().contains("key"));
    here.cloned().or_else(|| {
        files
            .iter()
            .filter(|file| file.is_dir())
            .find_map(|folder| key_file(folder))
    })
}
