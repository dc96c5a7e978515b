//! `tidegate config`: what is in force, where each value comes from, and how to change it.
//! The file is the person's: comments and order stay, and a value that the agent would refuse is never written.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::control::Client;
use tidegate_agent::{Action, AgentConfig, Places};
use tidegate_proto::text::Shown;
use toml_edit::{DocumentMut, Item, Table, value};

use super::seat::broken;
use crate::failure::{Exit, Failure};
use crate::out::OutArgs;
use crate::table::{Screen, Tone, cell, plain};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate config                              what is in force, and why
  tidegate config set ports.warehouse 15999    always this port on this computer
  tidegate config set max_connections 128      programs at once at one port
  tidegate config unset ports.warehouse")]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Write a setting into agent.toml.
    Set {
        /// For example `ports.warehouse`.
        key: String,
        /// For example `15999`.
        value: String,
    },
    /// Take a setting out of agent.toml: the default counts again.
    Unset {
        /// For example `ports.warehouse`.
        key: String,
    },
}

/// The answer of `config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The file that `set` writes.
    pub(crate) file: String,
    pub(crate) settings: Vec<Setting>,
}

/// One value in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
    /// `default`, `agent.toml` or `environment`.
    pub(crate) origin: String,
}

impl Config {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let places = Places::for_user()?;
        let changed = match &self.verb {
            None => None,
            Some(Verb::Set { key, value }) => {
                let from = change(&places, key, Some(value)).await?;
                Some(format!("{key} is {value} {from}."))
            }
            Some(Verb::Unset { key }) => {
                let from = change(&places, key, None).await?;
                Some(format!("{key} is at its default {from}."))
            }
        };
        let settings = in_force(&places)?;
        let words = || changed.unwrap_or_else(|| table(&settings, Screen::out()));
        self.out.answer(&settings, words)
    }
}

/// Changes a setting, by the running agent where that can do it at once. Says from when on it counts.
async fn change(places: &Places, key: &str, to: Option<&str>) -> Result<&'static str, Failure> {
    if let Some(text) = to {
        fits(key, text)?;
    }
    if by_the_agent(places, key, to).await? {
        return Ok("from now on");
    }
    edit(&places.config_file, key, to)?;
    Ok("from the next start of the agent on")
}

/// Judged before anything is written: the mistake is in what was typed, and not in the file.
fn fits(key: &str, text: &str) -> Result<(), Failure> {
    let number = text.parse::<u32>().ok();
    let within = |range: std::ops::RangeInclusive<u32>| number.is_some_and(|n| range.contains(&n));
    let (fits, what) = match key.split_once('.') {
        Some(("ports", _)) => (within(1024..=65_535), "a whole number from 1024 to 65535"),
        Some(("sockets", _)) => (
            text.parse::<bool>().is_ok() || Path::new(text).is_absolute(),
            "true, false, or a path from the root",
        ),
        None if key == "max_connections" => (within(1..=4096), "a whole number from 1 to 4096"),
        _ => (true, ""),
    };
    if fits {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!("{} cannot be {}", Shown::new(key), Shown::new(text)),
        format!("it takes {what}"),
        "give such a value; nothing was changed",
    ))
}

/// Whether a running agent did it: ports of services that it knows. It keeps them in the same file.
async fn by_the_agent(places: &Places, key: &str, to: Option<&str>) -> Result<bool, Failure> {
    let port = to.map(str::parse::<u16>).transpose();
    let (Some(name), Ok(port)) = (key.strip_prefix("ports."), port) else {
        return Ok(false);
    };
    let Ok(mut client) = Client::connect(&places.socket()).await else {
        return Ok(false);
    };
    let Ok(looking) = Client::connect(&places.socket()).await else {
        return Ok(false);
    };
    let snapshot = looking.snapshots().await.map_err(broken)?.next().await;
    // A name that two organisations have means both, and one that none has may come: that is for the file.
    let Ok(service) = snapshot.map_err(broken)?.find(name) else {
        return Ok(false);
    };
    let order = Action::SetPort { service, port };
    client.act(order).await.map_err(broken)??;
    Ok(true)
}

/// What an agent would start with now.
pub(crate) fn in_force(places: &Places) -> Result<Settings, Failure> {
    AgentConfig::for_user()?;
    let file = &places.config_file;
    let mut settings = Vec::new();
    let written = read(file)?;
    let mut add = |key: &str, value: String, origin: &str| {
        settings.push(Setting {
            key: key.to_owned(),
            value,
            origin: origin.to_owned(),
        });
    };
    let connections = written.get("max_connections").map(shown);
    match connections {
        Some(value) => add("max_connections", value, "agent.toml"),
        None => add(
            "max_connections",
            AgentConfig::MAX_CONNECTIONS.to_string(),
            "default",
        ),
    }
    for (key, item) in written.iter().filter(|(key, _)| *key != "max_connections") {
        match item.as_table_like() {
            Some(table) => {
                for (name, item) in table.iter() {
                    add(&format!("{key}.{name}"), shown(item), "agent.toml");
                }
            }
            None => add(key, shown(item), "agent.toml"),
        }
    }
    for name in ["TIDEGATE_LOG", "BROWSER", "NO_COLOR", "PGSERVICEFILE"] {
        if let Some(value) = std::env::var_os(name) {
            add(name, value.display().to_string(), "environment");
        }
    }
    Ok(Settings {
        file: file.display().to_string(),
        settings,
    })
}

fn shown(item: &Item) -> String {
    let text = item.as_str().map(str::to_owned);
    text.unwrap_or_else(|| item.to_string().trim().to_owned())
}

fn table(settings: &Settings, screen: Screen) -> String {
    let row = |setting: &Setting| {
        vec![
            plain(&setting.key),
            plain(&setting.value),
            cell(&setting.origin, Tone::Faint),
        ]
    };
    let rows: Vec<_> = settings.settings.iter().map(row).collect();
    screen.table(&["SETTING", "VALUE", "FROM"], &rows) + &format!("\nFile: {}\n", settings.file)
}

fn read(file: &Path) -> Result<DocumentMut, Failure> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unusable(file, &error)),
    };
    text.parse().map_err(|error| unusable(file, &error))
}

/// Changes one key and lets the agent itself judge the result before it takes the file's place.
fn edit(file: &Path, key: &str, to: Option<&str>) -> Result<(), Failure> {
    let mut document = read(file)?;
    let (table, name) = match key.split_once('.') {
        None => (document.as_table_mut(), key),
        Some((table, name)) => {
            let fresh = || Item::Table(Table::new());
            let item = document.entry(table).or_insert_with(fresh);
            (item.as_table_mut().ok_or_else(|| no_such(key))?, name)
        }
    };
    match to {
        Some(text) => {
            let typed = match (text.parse::<i64>(), text.parse::<bool>()) {
                (Ok(number), _) => value(number),
                (_, Ok(flag)) => value(flag),
                (Err(_), Err(_)) => value(text),
            };
            // The comment behind the old value is about the key, and stays.
            match table.get_mut(name).and_then(Item::as_value_mut) {
                Some(old) => {
                    let decor = old.decor().clone();
                    if let Item::Value(mut new) = typed {
                        *new.decor_mut() = decor;
                        *old = new;
                    }
                }
                None => drop(table.insert(name, typed)),
            }
        }
        None => drop(table.remove(name).ok_or_else(|| no_such(key))?),
    }
    let text = document.to_string();
    AgentConfig::check_settings(&text).map_err(|mistakes| Failure::unwritten(key, mistakes))?;
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).map_err(|error| unusable(file, &error))?;
    }
    tidegate_link::keyfile::replace(file, text.as_bytes()).map_err(|error| unusable(file, &error))
}

fn no_such(key: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("there is no setting {key}"),
        "agent.toml has nothing of that name",
        "`tidegate config` lists what is set; `tidegate config --help` what can be",
    )
}

fn unusable(file: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Exit::ThisComputer,
        format!("{} cannot be used", file.display()),
        error.to_string(),
        "correct the file, or move it away",
    )
}
