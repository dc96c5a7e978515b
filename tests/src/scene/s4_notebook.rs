//! Step 4: a real Jupyter kernel executes the committed notebook through the inlet.
//! And the secrets of this connection are looked for everywhere on the laptop, and not found.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Desk, World};
use crate::company::{ORG, SERVICE_PORT};
use crate::ground::Site;
use crate::laptop::Findings;
use crate::narrator::Narrator;
use crate::process::Program;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::{DATABASE, FLIGHTS, LOGIN};

const LIMIT: Duration = Duration::from_secs(10);
/// What the search for secrets has to find.
const CANARY: &str = "canary-of-the-search-for-secrets";
/// July.
const WORST_MONTH: u32 = 7;

pub(super) async fn play(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let chart = narrator.picture("chart");
    let found = desk
        .laptop
        .run_notebook(&desk.laptop.notebook()?, &chart)
        .await?;
    if found
        != (Findings {
            flights: FLIGHTS,
            worst_month: WORST_MONTH,
        })
    {
        return Err(Trouble::new(format!("the notebook found {found:?}")));
    }
    narrator.say(format!(
        "{} flights, the worst month is July; chart in {}",
        found.flights,
        chart.display()
    ));
    desk.window
        .picture(&narrator.picture("window-7-used"))
        .await?;
    its_statements_are_on_record(narrator, world).await?;

    if world.stage.ground().network().is_some() {
        strangers_are_refused(narrator, world, desk).await?;
    }
    no_secret_lies_about(narrator, world, desk).await
}

/// What the notebook asked, as it asked it, under her name and in the portal that was opened for it.
async fn its_statements_are_on_record(narrator: &Narrator, world: &World) -> Outcome<()> {
    let outlet = &world.company.outlet;
    let statements = |event: &Value| event["what"]["said"].to_string();
    let counted = outlet
        .statement("count of flights", LIMIT, |event| {
            statements(event).contains("select count(*) from flights")
        })
        .await?;
    let (who, portal) = (&counted["what"]["sub"], &counted["what"]["portal"]);
    let opened = outlet.events()?.into_iter().any(|event| {
        let what = &event["what"];
        let same = ["channel", "portal"].map(|key| what[key] == counted["what"][key]);
        what["kind"] == "portal-opened" && same == [true, true] && what["peer"]["sub"] == *who
    });
    if !opened {
        return Err(Trouble::new(format!("no portal was opened for {counted}")));
    }
    narrator.say(format!("statements: on record for {who}, portal {portal}"));
    Ok(())
}

/// The database's login, her refresh token and the device's key: in her home, her temporary files, and what her programs
/// were started with.
async fn no_secret_lies_about(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let mut secrets = vec![world.warehouse.password.clone(), LOGIN.to_owned()];
    for kind in ["refresh", "identity"] {
        secrets.push(in_keyring(desk, kind).await?);
    }
    let canary = desk.laptop.home().join(".canary");
    std::fs::write(&canary, CANARY)?;
    let seen = found_on(world, desk, CANARY);
    let found: Vec<_> = secrets
        .iter()
        .map(|secret| found_on(world, desk, secret))
        .collect();
    std::fs::remove_file(&canary)?;
    let seen = seen?;
    if seen != [canary.display().to_string()] {
        return Err(Trouble::new(format!(
            "the search for secrets found a planted one in {seen:?}"
        )));
    }
    for places in found {
        let places = places?;
        if !places.is_empty() {
            return Err(Trouble::new(format!(
                "a secret is on the laptop: {}",
                places.join(", ")
            )));
        }
    }
    narrator.say(
        "the database's login, the refresh token and the device's key lie nowhere on the laptop: no file, no argument, no environment",
    );
    Ok(())
}

/// A secret that the keyring keeps for her.
async fn in_keyring(desk: &Desk, kind: &str) -> Outcome<String> {
    let name = format!("{ORG}/{kind}");
    let look = ["lookup", "service", "tidegate", "username", &name];
    let secret = desk
        .laptop
        .terminal("keyring", "secret-tool", &look)
        .await?;
    match secret.trim() {
        secret if secret.len() >= 16 => Ok(secret.to_owned()),
        _ => Err(Trouble::new(format!("the keyring holds no {kind}"))),
    }
}

/// Where on her laptop it is: her home, what her programs see as temporary, and what they were started with.
fn found_on(world: &World, desk: &Desk, secret: &str) -> Outcome<Vec<String>> {
    // The stage's own folder stands in every /tmp; of what is in it only her home is on her laptop.
    let stage = identity(world.stage.run().folder())?;
    let mut found = files_with(&desk.laptop.home(), secret, stage)?;
    let mut looked_at = BTreeSet::new();
    for pid in world.stage.pids_of(User::Analyst) {
        for folder in ["tmp", "dev/shm"] {
            let shared = Path::new("/").join(folder);
            let hers = PathBuf::from(format!("/proc/{pid}/root/{folder}"));
            // It may have ended meanwhile. Many of her programs share one; the machine's own holds everybody's things.
            let Some(which) = there(identity(&hers))? else {
                continue;
            };
            if which != identity(&shared)? && looked_at.insert(which) {
                found.extend(files_with(&hers, secret, stage)?);
            }
        }
    }
    found.extend(memory_with(world, secret));
    Ok(found)
}

fn identity(folder: &Path) -> std::io::Result<(u64, u64)> {
    let facts = std::fs::metadata(folder)?;
    Ok((facts.dev(), facts.ino()))
}

/// Another user of the same laptop, at the same port. Ana is told.
async fn strangers_are_refused(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let psql = Program::new("stranger", Site::Cafe, User::Colleague, "psql")
        .args(["-X", "-c", "select 1", &url]);
    if let Ok(said) = psql.output(&world.stage, LIMIT).await {
        return Err(Trouble::new(format!(
            "another user of the laptop got in: {said}"
        )));
    }
    let told = desk
        .window
        .says("problem-TG-6002", "program")
        .await
        .doing("be told about the stranger")?;
    narrator.say(format!(
        "another user of the laptop is refused; the window: {}",
        told.replace('\n', " ")
    ));
    desk.window
        .picture(&narrator.picture("window-8-stranger"))
        .await?;
    desk.window.click("problem-dismiss-TG-6002").await
}

/// Files under a folder that contain the secret. What cannot be looked at is an error: it may hold one.
fn files_with(folder: &Path, secret: &str, without: (u64, u64)) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for entry in there(std::fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        let (path, Some(kind)) = (entry.path(), there(entry.file_type())?) else {
            continue;
        };
        if kind.is_dir() {
            if there(identity(&path))?.is_some_and(|folder| folder != without) {
                found.extend(files_with(&path, secret, without)?);
            }
        } else if kind.is_file()
            && there(std::fs::read(&path))?.is_some_and(|bytes| contains(&bytes, secret))
        {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// Programs take their files away while we look.
fn there<T>(looked: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match looked {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        looked => looked.map(Some),
    }
}

/// Arguments and environments of her processes that contain the secret.
fn memory_with(world: &World, secret: &str) -> Vec<String> {
    let pids = world.stage.pids_of(User::Analyst);
    let files = pids
        .iter()
        .flat_map(|pid| ["cmdline", "environ"].map(|file| format!("/proc/{pid}/{file}")));
    files
        .filter(|file| contains(&std::fs::read(file).unwrap_or_default(), secret))
        .collect()
}

fn contains(bytes: &[u8], secret: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(secret)
}
