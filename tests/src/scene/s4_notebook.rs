//! Step 4: a real Jupyter kernel executes the committed notebook through the inlet.
//! And the secrets of this connection are looked for everywhere on the laptop, and not found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Desk, World};
use crate::company::{ORG, SERVICE_PORT};
use crate::ground::Site;
use crate::laptop::Findings;
use crate::narrator::Narrator;
use crate::process::Program;
use crate::search::{Find, Search, Secret, identity, there};
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

/// What the database, her sign-in and her device hang on: in her home, her temporary files, and what her programs were
/// started with.
async fn no_secret_lies_about(narrator: &Narrator, world: &World, desk: &Desk) -> Outcome<()> {
    let session: Value = serde_json::from_str(&in_keyring(desk, "session").await?)?;
    let token = session["id_token_0"].as_str().doing("find her ID token")?;
    let opening: Vec<u8> = serde_json::from_value(session["rz"].clone())?;
    let ticket = desk.link.split_once("&key=").map(|(_, key)| key);
    let ticket = ticket.doing("find the ticket's key in her link")?;
    let mut secrets = vec![
        Secret::text("the database's password", &world.warehouse.password),
        Secret::text("the database's login", LOGIN),
        Secret::text("her refresh token", &in_keyring(desk, "refresh").await?),
        Secret::text("her ID token", token),
        Secret::key("what opens its nonce", &opening),
        Secret::key(
            "the device's key",
            &URL_SAFE_NO_PAD.decode(in_keyring(desk, "identity").await?)?,
        ),
        Secret::key("the spent ticket's key", &URL_SAFE_NO_PAD.decode(ticket)?),
    ];
    if let Some(newer) = session["id_token_n"].as_str() {
        secrets.push(Secret::text("her newer ID token", newer));
    }
    if in_keyring(desk, "joining").await.is_ok() {
        return Err(Trouble::new("the keyring still holds a key of the join"));
    }
    let search = Search::of(secrets)?;
    let planted = search.plant(&desk.laptop.home())?;
    let found = found_on(world, desk, &search);
    let found = planted.beside(found?)?;
    drop(planted);
    if !found.is_empty() {
        return Err(Trouble::new(format!(
            "a secret is on the laptop: {found:?}"
        )));
    }
    narrator.say(
        "the database's login, her tokens, the device's key and the ticket's lie nowhere on the laptop: no file, no argument, no environment",
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
fn found_on(world: &World, desk: &Desk, search: &Search) -> Outcome<Vec<Find>> {
    // The stage's own folder stands in every /tmp; of what is in it only her home is on her laptop.
    let stage = identity(world.stage.run().folder())?;
    let mut found = search.under(&desk.laptop.home(), Some(stage))?;
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
                found.extend(search.under(&hers, Some(stage))?);
            }
        }
    }
    // Arguments and environments; a program that ends meanwhile has none.
    for pid in world.stage.pids_of(User::Analyst) {
        for file in ["cmdline", "environ"] {
            let file = PathBuf::from(format!("/proc/{pid}/{file}"));
            found.extend(search.in_file(&file).unwrap_or_default());
        }
    }
    Ok(found)
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
