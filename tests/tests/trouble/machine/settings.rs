//! A port that is moved while it is in use, at an agent of a terminal and at the app; and what the app writes down meanwhile.
//! The app is the real one, in the tray of her laptop.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tidegate_tests::company::{ORG, SERVICE, SERVICE_PORT};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;

use super::until;
use crate::ana::{Ana, must_say};

const PORT: u16 = 15_777;
/// Two files of 2 MiB.
const MOST: u64 = 4 << 20;
const GONE: Duration = Duration::from_secs(10);

pub(super) async fn ports(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    moves_and_comes_back(ana)
        .await
        .doing("move it at the agent")?;
    drop(agent);

    let binary = world.stage.binary("tidegate-desktop")?;
    let app = ana.laptop.program("app", binary).arg("--hidden");
    let mut app = app.start(&world.stage)?;
    // Only a running agent can be told to disconnect.
    let runs = ["disconnect", "--all"];
    until(
        async || Ok(ana.types("app-runs", &runs).await.is_ok()),
        |there| *there,
    )
    .await?;
    ana.types("app-connect", &["connect", SERVICE]).await?;
    moves_and_comes_back(ana)
        .await
        .doing("move it at the app")?;
    app.signal(tidegate_tests::process::Signal::TERM)?;
    let status = app.ended(GONE).await?;
    if status.success() {
        return Ok(());
    }
    Err(Trouble::new(format!("the app ended with {status}")))
}

/// Each time the way she knows is gone, and the other one works, without another click.
async fn moves_and_comes_back(ana: &Ana) -> Outcome<()> {
    let set = ["config", "set", "ports.warehouse", &PORT.to_string()];
    let said = ana.types("set", &set).await?;
    must_say(&said, &["15777", "from now on"])?;
    works_at(ana, PORT, SERVICE_PORT).await?;
    let unset = ["config", "unset", "ports.warehouse"];
    let said = ana.types("unset", &unset).await?;
    must_say(&said, &["default", "from now on"])?;
    works_at(ana, SERVICE_PORT, PORT).await
}

async fn works_at(ana: &Ana, port: u16, not_at: u16) -> Outcome<()> {
    until(async || Ok(ana.asks_at(port).await.is_ok()), |open| *open).await?;
    let closed = ana.asks_at(not_at).await.err();
    let closed = closed.doing(format!("see {not_at} closed"))?;
    must_say(&closed.to_string(), &["Connection refused"])
}

impl Ana {
    pub(super) async fn types(&self, name: &str, words: &[&str]) -> Outcome<String> {
        let name = format!("machine-{name}");
        self.laptop.terminal(&name, &self.tidegate, words).await
    }

    pub(super) async fn asks_at(&self, port: u16) -> Outcome<String> {
        let url = format!("postgresql://localhost:{port}/{DATABASE}");
        let words = ["-X", "-A", "-t", "-c", "select 42", &url];
        self.laptop.terminal("machine-psql", "psql", &words).await
    }
}

/// What the app of the play before wrote down.
pub(super) async fn log(world: &World, ana: &Ana) -> Outcome<()> {
    let folder = ana.laptop.home().join(".local/share/tidegate/log");
    let (mut text, mut size) = (String::new(), 0);
    for entry in std::fs::read_dir(&folder).doing("find the log's folder")? {
        let entry = entry?;
        let facts = entry.metadata()?;
        if facts.permissions().mode() & 0o777 != 0o600 {
            let mode = facts.permissions().mode();
            return Err(Trouble::new(format!("{:?}: {mode:o}", entry.path())));
        }
        size += facts.len();
        text += &std::fs::read_to_string(entry.path())?;
    }
    println!("  {size} bytes");
    must_say(&text, &["door was opened", SERVICE])?;
    if size > MOST {
        return Err(Trouble::new(format!("it has {size} bytes")));
    }
    for (what, canary) in secrets(world, ana).await? {
        if text.contains(&canary) {
            return Err(Trouble::new(format!("it holds {what}")));
        }
    }
    Ok(())
}

async fn secrets(world: &World, ana: &Ana) -> Outcome<Vec<(&'static str, String)>> {
    let mut all = vec![
        ("her password", world.provider.ana.password.clone()),
        ("the outlet's password", world.warehouse.password.clone()),
        ("what she asked", "select 42".to_owned()),
        ("a link", "tidegate://".to_owned()),
        ("a token", "eyJ".to_owned()),
    ];
    for (what, kind) in [
        ("the device's key", "identity"),
        ("a refresh token", "refresh"),
    ] {
        let name = format!("{ORG}/{kind}");
        let look = ["lookup", "service", "tidegate", "username", &name];
        let secret = ana
            .laptop
            .terminal("log-canary", "secret-tool", &look)
            .await?;
        let secret = secret.trim();
        if secret.len() < 16 {
            return Err(Trouble::new(format!("the keyring holds no {kind}")));
        }
        all.push((what, secret.to_owned()));
    }
    Ok(all)
}
