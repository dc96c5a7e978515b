//! What an agent is started with.
//! Nothing in here is a secret, and every default is what a person at a laptop wants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};

use crate::clock::Clock;
use crate::keys::{FileStore, KeyringStore, MemoryStore, SecretStore};
use crate::places::Places;
use crate::signin::browser::{OpenBrowser, SystemBrowser};
use crate::snapshot::KeyHome;

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyStoreKind {
    /// The operating system's keyring, with memory as the fallback that says so.
    #[default]
    Keyring,
    /// Nowhere: for tests and throw-away agents.
    Memory,
    /// `keys.json` in the data directory, 0600, not encrypted. Only where somebody asked for it.
    File,
}

/// Everything an agent needs to know before it starts.
pub struct AgentConfig {
    /// State that survives: 0700, made if it is not there.
    pub data_dir: PathBuf,
    /// Where the control socket lives: 0700, made if it is not there.
    pub runtime_dir: PathBuf,
    pub keys: KeyStoreKind,
    pub browser: Box<dyn OpenBrowser>,
    pub clock: Clock,
    /// Local ports other than those of the catalogue.
    pub ports: BTreeMap<ServiceName, u16>,
    /// Programs served at once by one inlet.
    pub max_connections: usize,
    /// Ends with one command: an identity that is only in memory would be lost with the ticket it cost, so it is not enrolled.
    pub short_lived: bool,
}

impl AgentConfig {
    /// Programs served at once by one inlet, unless said otherwise.
    pub const MAX_CONNECTIONS: usize = 64;
    /// More programs than this are no laptop's: each takes a descriptor here and a circuit at the outlet.
    const MOST_CONNECTIONS: usize = 4096;

    /// The current user's agent: XDG directories, keyring (or the file that was once asked for), system browser, and what `agent.toml` says.
    ///
    /// # Errors
    /// When there is no home directory, or `agent.toml` has a mistake.
    pub fn for_user() -> Result<Self, Problem> {
        let places = Places::for_user()?;
        let mut config = Self::in_dir(&places.data_dir);
        config.runtime_dir = places.runtime_dir;
        // Somebody asked for the file before: the keys are there and nowhere else.
        if config.key_file().exists() {
            config.keys = KeyStoreKind::File;
        }
        let settings = read_settings(&places.config_file)?;
        config.ports = settings.ports;
        config.max_connections = settings.max_connections;
        Ok(config)
    }

    /// Whether an agent would start with this text as its `agent.toml`.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn check_settings(text: &str) -> Result<(), Problem> {
        let mistake = |said: &str| Problem::new(Code::ConfigWrong).said(said);
        parse(text).map(drop).map_err(|said| mistake(&said))
    }

    /// An agent that keeps everything under `dir`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            data_dir: dir.to_owned(),
            runtime_dir: dir.join("run"),
            keys: KeyStoreKind::default(),
            browser: Box::new(SystemBrowser),
            clock: Clock::system(),
            ports: BTreeMap::new(),
            max_connections: Self::MAX_CONNECTIONS,
            short_lived: false,
        }
    }

    /// Where the control socket is.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime_dir.join("agent.sock")
    }

    fn key_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }

    pub(crate) fn store(&self) -> (Arc<dyn SecretStore>, KeyHome) {
        match self.keys {
            KeyStoreKind::Keyring => (Arc::new(KeyringStore), KeyHome::Keyring),
            KeyStoreKind::Memory => (Arc::new(MemoryStore::default()), KeyHome::Memory),
            KeyStoreKind::File => (Arc::new(FileStore::new(self.key_file())), KeyHome::File),
        }
    }
}

/// `agent.toml`, all of it.
#[derive(Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    ports: BTreeMap<ServiceName, u16>,
    max_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ports: BTreeMap::new(),
            max_connections: AgentConfig::MAX_CONNECTIONS,
        }
    }
}

impl Settings {
    /// Why these values cannot be.
    fn mistake(&self) -> Option<&'static str> {
        if self.ports.values().any(|port| *port < 1024) {
            return Some("ports must be 1024 or higher");
        }
        if !(1..=AgentConfig::MOST_CONNECTIONS).contains(&self.max_connections) {
            return Some("max_connections must be from 1 to 4096");
        }
        None
    }
}

fn read_settings(path: &Path) -> Result<Settings, Problem> {
    const LIMIT: u64 = 64 * 1024;
    let mistake = |said: &str| {
        Problem::new(Code::ConfigWrong)
            .path(&path.display().to_string())
            .said(said)
    };
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() && facts.len() <= LIMIT => {}
        Ok(_) => return Err(mistake("it is not a small file")),
        Err(_) => return Ok(Settings::default()),
    }
    let text = std::fs::read_to_string(path).map_err(|_| mistake("it cannot be read"))?;
    parse(&text).map_err(|said| mistake(&said))
}

fn parse(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    match settings.mistake() {
        Some(said) => Err(said.to_owned()),
        None => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Settings, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        read_settings(&path)
    }

    #[test]
    fn ports_and_connections_can_be_chosen_and_mistakes_are_named() {
        let chosen = read("max_connections = 1000\n[ports]\nwarehouse = 15999\n").unwrap();
        assert_eq!(chosen.ports[&"warehouse".parse().unwrap()], 15999);
        assert_eq!(chosen.max_connections, 1000);
        let nothing = read_settings(Path::new("/nowhere/agent.toml")).unwrap();
        assert!(nothing.ports.is_empty());
        assert_eq!(nothing.max_connections, AgentConfig::MAX_CONNECTIONS);
        for bad in [
            "[ports]\nWarehouse = 1\n",
            "[ports]\nwarehouse = 80\n",
            "[port]\n",
            "[ports]\nwarehouse = 99999\n",
            "max_connections = 0\n",
            "max_connections = 4097\n",
            "max_connections = -1\n",
            "=",
        ] {
            let problem = read(bad).unwrap_err();
            assert_eq!(problem.code, Code::ConfigWrong, "{bad}");
            assert!(problem.facts.said.is_some() && problem.facts.path.is_some());
        }
    }
}
