//! Trouble at the servers: an outlet that is dead, one that is told to stop, a key file that is open to others.
//! After each of them the same connection must work again without anybody touching the laptop.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tidegate_tests::process::Signal;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::{Program, Site, User};

use super::ana::{Ana, must_say};
use super::database::AT_ONCE;

const LIMIT: Duration = Duration::from_secs(10);

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
    comes_back(world, ana).await?;
    drop(agent);
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true"])
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
    world.company.outlet.start_again().await?;
    comes_back(world, ana).await?;
    drop(agent);
    let verdict = world.company.outlet.verify_audit().await?;
    must_say(&verdict, &["\"whole\":true"])
}

/// Nobody reconnects anything: the agent finds the outlet again by itself.
async fn comes_back(world: &World, ana: &Ana) -> Outcome<()> {
    let until = Instant::now() + LIMIT;
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
