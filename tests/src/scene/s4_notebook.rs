//! Step 4: a real Jupyter kernel executes the committed notebook through the inlet.
//! And the database's password is looked for everywhere on the laptop, and not found.

use std::path::Path;
use std::time::Duration;

use super::{Desk, World};
use crate::company::SERVICE_PORT;
use crate::ground::Site;
use crate::laptop::Findings;
use crate::narrator::Narrator;
use crate::process::Program;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;
use crate::warehouse::{DATABASE, FLIGHTS, LOGIN};

const LIMIT: Duration = Duration::from_secs(10);
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

    if world.stage.ground().network().is_some() {
        strangers_are_refused(narrator, world, desk).await?;
    }
    for secret in [world.warehouse.password.as_str(), LOGIN] {
        let places = [
            files_with(&desk.laptop.home(), secret),
            memory_with(world, secret),
        ]
        .concat();
        if !places.is_empty() {
            return Err(Trouble::new(format!(
                "the database's login is on the laptop: {}",
                places.join(", ")
            )));
        }
    }
    narrator
        .say("the database's login is nowhere on the laptop: no file, no argument, no environment");
    Ok(())
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

/// Files under a folder that contain the secret.
fn files_with(folder: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(files_with(&path, secret));
        } else if kind.is_file() && contains(&std::fs::read(&path).unwrap_or_default(), secret) {
            found.push(path.display().to_string());
        }
    }
    found
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
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}
