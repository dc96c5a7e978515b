//! `agent.toml`: what a person may choose. All of it is here, and docs/laptop.md says the same in words.
//! It is the person's file: what the app changes in it leaves every comment and every other line as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tidegate_link::settings_file::{self, Mistakes, Reader, SettingsFileError};
use tidegate_proto::names::{NameError, ServiceName};

use crate::ServiceRef;

mod write;
pub(crate) use write::write_port;

/// Below this a port is the system's.
pub(crate) const LOWEST_PORT: u16 = 1024;
/// Programs served at once by one inlet, unless said otherwise.
pub(crate) const MAX_CONNECTIONS: usize = 64;
/// More programs than this are no laptop's: each takes a descriptor here and a circuit at the outlet.
const MOST_CONNECTIONS: u64 = 4096;

/// The whole file.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Local ports other than those of the catalogue.
    pub(crate) ports: BTreeMap<ServiceKey, u16>,
    pub(crate) max_connections: usize,
    /// Unix sockets beside the ports.
    pub(crate) sockets: BTreeMap<ServiceKey, SocketWish>,
}

/// Whether a service has a Unix socket too, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketWish {
    /// In the agent's own runtime directory.
    Own(bool),
    /// For `postgres` the folder, for `tcp` the socket itself.
    At(PathBuf),
}

/// Which service a line is about: `warehouse` in every org, or `"acme/warehouse"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// `None` only after a note was made.
    fn read(mut top: Reader<'_>) -> Option<Self> {
        let mut settings = Self::default();
        if let Some(table) = top.optional_table("ports") {
            table.each(|table, key| {
                let service = service(table, key);
                let port = table.number(key, u64::from(LOWEST_PORT)..=u64::from(u16::MAX));
                let port = port.and_then(|port| u16::try_from(port).ok());
                settings.ports.extend(service.zip(port));
            });
        }
        if let Some(count) = top.number("max_connections", 1..=MOST_CONNECTIONS) {
            settings.max_connections = usize::try_from(count).unwrap_or(MAX_CONNECTIONS);
        }
        if let Some(table) = top.optional_table("sockets") {
            table.each(|table, key| {
                let service = service(table, key);
                settings.sockets.extend(service.zip(socket(table, key)));
            });
        }
        top.finish();
        Some(settings)
    }
}

fn service(table: &Reader<'_>, key: &str) -> Option<ServiceKey> {
    let service = key.parse();
    if service.is_err() {
        table.note(
            key,
            "there can be no such service",
            "the service's name as `tidegate ls` prints it, or \"org/service\" in quotes",
        );
    }
    service.ok()
}

fn socket(table: &mut Reader<'_>, key: &str) -> Option<SocketWish> {
    match table.take(key)? {
        toml::Value::Boolean(own) => Some(SocketWish::Own(own)),
        toml::Value::String(path) if Path::new(&path).is_absolute() => {
            Some(SocketWish::At(path.into()))
        }
        _ => {
            let fix = "true, false, or a path from the root in double quotes";
            table.note(key, "it is no place for a socket", fix);
            None
        }
    }
}

/// What the file says; no file says nothing.
///
/// # Errors
/// Every mistake in it, at once.
pub(crate) fn read(path: &Path) -> Result<Settings, Mistakes> {
    match settings_file::read(path) {
        Ok(text) => parse(&text),
        Err(SettingsFileError::Missing) => Ok(Settings::default()),
        Err(error) => Err(Mistakes::of_file(path, error)),
    }
}

/// What a file with this text would say.
///
/// # Errors
/// Every mistake in it, at once.
pub(crate) fn parse(text: &str) -> Result<Settings, Mistakes> {
    settings_file::parse(text, Path::new(""), Settings::read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ports_connections_and_sockets_can_be_chosen() {
        let chosen = parse(
            "max_connections = 1000\n[ports]\nwarehouse = 15999\n\"acme/reports\" = 16000\n\
             [sockets]\nwarehouse = true\nreports = \"/run/reports\"\n",
        )
        .unwrap();

        assert_eq!(chosen.ports[&"warehouse".parse().unwrap()], 15999);
        assert_eq!(chosen.ports[&"acme/reports".parse().unwrap()], 16000);
        assert_eq!(chosen.max_connections, 1000);
        let own = &chosen.sockets[&"warehouse".parse().unwrap()];
        assert_eq!(own, &SocketWish::Own(true));
        let at = &chosen.sockets[&"reports".parse().unwrap()];
        assert_eq!(at, &SocketWish::At("/run/reports".into()));
        let nothing = read(Path::new("/nowhere/agent.toml")).unwrap();
        assert!(nothing.ports.is_empty() && nothing.sockets.is_empty());
        assert_eq!(nothing.max_connections, MAX_CONNECTIONS);
    }

    /// What somebody reads who made every mistake at once.
    #[test]
    fn every_mistake_is_told_at_once_with_key_reason_and_fix() {
        let found = parse(
            "max_connections = 0\nmax_conections = 7\n\
             [ports]\nwarehouse = 80\nreports = \"16000\"\nWarehouse = 15999\n\"a/b/c\" = 15999\n\
             [sockets]\nwarehouse = \"here\"\nreports = 7\n",
        )
        .unwrap_err();

        let port = "it is not a number in its range. Write a whole number from 1024 to 65535.";
        let name = "there can be no such service. Write the service's name as `tidegate ls` prints it, or \"org/service\" in quotes.";
        let socket = "it is no place for a socket. Write true, false, or a path from the root in double quotes.";
        let mut told: Vec<_> = found.to_string().lines().map(str::to_owned).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "max_conections: there is no such key. Write max_connections if you meant that, or take the line out.".to_owned(),
                "max_connections: it is not a number in its range. Write a whole number from 1 to 4096.".to_owned(),
                format!("ports.Warehouse: {name}"),
                format!("ports.a/b/c: {name}"),
                format!("ports.reports: {port}"),
                format!("ports.warehouse: {port}"),
                format!("sockets.reports: {socket}"),
                format!("sockets.warehouse: {socket}"),
            ]
        );
    }

    #[test]
    fn what_is_no_toml_or_no_table_is_told_with_its_line_or_key() {
        for (bad, key) in [
            ("max_connections = 7\n=", "line 2"),
            ("ports = 7", "ports"),
            ("[port]", "port"),
            ("max_connections = -1", "max_connections"),
            ("max_connections = 4097", "max_connections"),
            ("[ports]\nwarehouse = 65536", "ports.warehouse"),
        ] {
            let found = parse(bad).unwrap_err().0;
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert_eq!(found[0].key, key, "{bad}");
        }
        let folder = tempfile::tempdir().unwrap();
        let found = read(folder.path()).unwrap_err().0;
        assert_eq!(found[0].key, folder.path().display().to_string());
    }
}
