//! `agent.toml`: what a person may choose. All of it is here, and docs/laptop.md says the same in words.
//! It is the person's file: what the app changes in it leaves every comment and every other line as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use tidegate_link::settings_file::{self, SettingsFileError};
use tidegate_proto::names::{NameError, ServiceName};
use tidegate_proto::problem::{Code, Problem};

use crate::ServiceRef;
use crate::platform::own_file;

/// Below this a port is the system's.
pub(crate) const LOWEST_PORT: u16 = 1024;
/// Programs served at once by one inlet, unless said otherwise.
pub(crate) const MAX_CONNECTIONS: usize = 64;
/// More programs than this are no laptop's: each takes a descriptor here and a circuit at the outlet.
const MOST_CONNECTIONS: usize = 4096;
/// Largest file that is read, in bytes.
const LIMIT: usize = 64 * 1024;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Local ports other than those of the catalogue.
    pub(crate) ports: BTreeMap<ServiceKey, u16>,
    pub(crate) max_connections: usize,
    /// Unix sockets beside the ports.
    pub(crate) sockets: BTreeMap<ServiceKey, SocketWish>,
}

/// Whether a service has a Unix socket too, and where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum SocketWish {
    /// In the agent's own runtime directory.
    Own(bool),
    /// For `postgres` the folder, for `tcp` the socket itself.
    At(PathBuf),
}

/// Which service a line is about: `warehouse` in every org, or `"acme/warehouse"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceKey(String);

impl FromStr for ServiceKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains('/') {
            text.parse::<ServiceRef>().map(Self::from)
        } else {
            text.parse::<ServiceName>().map(Self::from)
        }
    }
}

impl TryFrom<String> for ServiceKey {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ServiceName> for ServiceKey {
    fn from(service: ServiceName) -> Self {
        Self(service.into())
    }
}

impl From<ServiceRef> for ServiceKey {
    fn from(service: ServiceRef) -> Self {
        Self(service.to_string())
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ports: BTreeMap::new(),
            max_connections: MAX_CONNECTIONS,
            sockets: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Why these values cannot be.
    fn mistake(&self) -> Option<&'static str> {
        if self.ports.values().any(|port| *port < LOWEST_PORT) {
            return Some("ports must be 1024 or higher");
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.max_connections) {
            return Some("max_connections must be from 1 to 4096");
        }
        let is_relative =
            |wish: &SocketWish| matches!(wish, SocketWish::At(path) if !path.is_absolute());
        if self.sockets.values().any(is_relative) {
            return Some("a socket is true, false, or a path from the root");
        }
        None
    }
}

/// What the file says; no file says nothing.
///
/// # Errors
/// `ConfigWrong` with the mistake in words.
pub(crate) fn read(path: &Path) -> Result<Settings, Problem> {
    parse(&text_of(path)?).map_err(|said| mistake(path, &said))
}

/// The first mistake, in words, when there is one.
pub(crate) fn parse(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    match settings.mistake() {
        Some(said) => Err(said.to_owned()),
        None => Ok(settings),
    }
}

/// Writes the port of a service, or takes it out; `also_without` goes too.
///
/// # Errors
/// `ConfigWrong` when the file cannot be read or written.
pub(crate) fn write_port(
    path: &Path,
    service: &ServiceRef,
    port: Option<u16>,
    also_without: Option<&ServiceKey>,
) -> Result<(), Problem> {
    // Looked up once: what is put under this name meanwhile is not followed.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let text = text_of(path)?;
    let mut file: toml_edit::DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| mistake(path, error.message()))?;
    if port.is_none() && !file.contains_key("ports") {
        return Ok(());
    }
    let table = file["ports"].or_insert(toml_edit::table());
    let ports = table
        .as_table_like_mut()
        .ok_or_else(|| mistake(path, "ports is not a table"))?;
    match port {
        Some(port) => {
            ports.insert(&service.to_string(), toml_edit::value(i64::from(port)));
        }
        None => {
            ports.remove(&service.to_string());
            also_without.map(|key| ports.remove(&key.to_string()));
        }
    }
    replace(path, (&text, &file.to_string())).map_err(|error| match error.kind() {
        std::io::ErrorKind::Other => mistake(path, "somebody changed it just now; try again"),
        kind => mistake(path, &format!("it cannot be written ({kind})")),
    })
}

/// Nothing, where there is no file.
fn text_of(path: &Path) -> Result<String, Problem> {
    match settings_file::read(path, LIMIT) {
        Ok(text) => Ok(text),
        Err(SettingsFileError::Missing) => Ok(String::new()),
        Err(error) => {
            let (first, rest) = error.fix().split_at(1);
            let fix = first.to_lowercase() + rest;
            Err(mistake(path, &format!("{error}; {fix}")))
        }
    }
}

/// Whole or not at all, with the rights it had, and only over what was read: neither what somebody wrote meanwhile
/// nor what a link planted under the name points to is written over.
fn replace(path: &Path, (before, after): (&str, &str)) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let beside = path.with_extension("toml.new");
    // Whatever is there is not ours to write through.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    own_file::with_mode(options.write(true).create_new(true), own_file::FRESH);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(after.as_bytes())?;
        if let Ok(facts) = std::fs::metadata(path) {
            file.set_permissions(facts.permissions())?;
        }
        file.sync_all()?;
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
        let now = text_of(path).unwrap_or_default();
        if is_link || now != before {
            return Err(std::io::Error::other("it is another file now"));
        }
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn mistake(path: &Path, said: &str) -> Problem {
    Problem::new(Code::ConfigWrong)
        .path(&path.display().to_string())
        .said(said)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_text(text: &str) -> Result<Settings, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn ports_and_connections_can_be_chosen_and_mistakes_are_named() {
        let text = "max_connections = 1000\n[ports]\nwarehouse = 15999\n\"acme/reports\" = 16000\n";
        let chosen = read_text(text).unwrap();
        assert_eq!(chosen.ports[&"warehouse".parse().unwrap()], 15999);
        assert_eq!(chosen.ports[&"acme/reports".parse().unwrap()], 16000);
        assert_eq!(chosen.max_connections, 1000);
        let nothing = read(Path::new("/nowhere/agent.toml")).unwrap();
        assert!(nothing.ports.is_empty());
        assert_eq!(nothing.max_connections, MAX_CONNECTIONS);
        for bad in [
            "[ports]\nWarehouse = 1\n",
            "[ports]\nwarehouse = 80\n",
            "[ports]\n\"a/b/c\" = 15999\n",
            "[port]\n",
            "[ports]\nwarehouse = 99999\n",
            "[sockets]\nwarehouse = \"here\"\n",
            "[sockets]\nwarehouse = 7\n",
            "max_connections = 0\n",
            "max_connections = 4097\n",
            "max_connections = -1\n",
            "=",
        ] {
            let problem = read_text(bad).unwrap_err();
            assert_eq!(problem.code, Code::ConfigWrong, "{bad}");
            assert!(problem.facts.said.is_some() && problem.facts.path.is_some());
        }
    }

    #[test]
    fn a_file_with_a_mistake_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        for text in ["ports = 7\n", "= what\n"] {
            std::fs::write(&path, text).unwrap();

            let problem = write_port(&path, &"acme/x".parse().unwrap(), Some(15999), None);

            assert_eq!(problem.unwrap_err().code, Code::ConfigWrong);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_somebody_put_in_its_place_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "changed = \"by hand\"\n").unwrap();

        let lost = replace(&path, ("what was read\n", "what was to be written\n"));

        assert!(lost.is_err());
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "changed = \"by hand\"\n"
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_when_it_was_there_and_never_when_it_came_between() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (
            dir.path().join("agent.toml"),
            dir.path().join("dotfiles.toml"),
        );
        std::fs::write(&kept, "# kept elsewhere\n").unwrap();
        symlink(&kept, &path).unwrap();
        let service = "acme/x".parse().unwrap();

        write_port(&path, &service, Some(15999), None).unwrap();
        assert!(path.is_symlink());
        assert!(std::fs::read_to_string(&kept).unwrap().contains("15999"));

        // As if the link had taken the file's place after it was read.
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "read\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        symlink(&victim, dir.path().join("agent.toml.new")).unwrap();
        assert!(replace(&path, ("read\n", "ours\n")).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "read\n");
    }
}
