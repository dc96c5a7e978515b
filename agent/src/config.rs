//! What an agent is started with.
//! Nothing in here is a secret, and every default is what a person at a laptop wants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_link::settings_file::Mistakes;
use tidegate_proto::problem::{Code, Problem};

use crate::clock::Clock;
use crate::keys::{FileStore, KeyringStore, MemoryStore, SecretStore};
use crate::places::Places;
use crate::settings::{self, ServiceKey, SocketWish};
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

/// Why there is nothing to start with.
#[derive(Debug)]
pub enum ConfigError {
    /// `agent.toml` and every mistake in it.
    File(PathBuf, Mistakes),
    /// Something else about this computer.
    Problem(Problem),
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// For where one sentence has room: it tells the first mistake, and how many more there are.
impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Problem(problem) => problem,
            ConfigError::File(file, mistakes) => Self::new(Code::ConfigWrong)
                .path(&file.display().to_string())
                .said(&mistakes.in_short()),
        }
    }
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
    pub ports: BTreeMap<ServiceKey, u16>,
    /// `agent.toml`: a port that is chosen in the app is written there.
    pub settings_file: PathBuf,
    /// Services with a Unix socket beside their port.
    pub sockets: BTreeMap<ServiceKey, SocketWish>,
    /// Programs served at once by one inlet.
    pub max_connections: usize,
    /// Ends with one command: an identity that is only in memory would be lost with the ticket it cost, so it is not enrolled.
    pub short_lived: bool,
    /// It ends as soon as it has looked: it takes no orders from other programs, which would lose it in the middle of them.
    pub alone: bool,
    /// In the place of `keys`.
    #[cfg(test)]
    pub(crate) keyring: Option<Arc<dyn SecretStore>>,
}

impl AgentConfig {
    /// Programs served at once by one inlet, unless said otherwise.
    pub const MAX_CONNECTIONS: usize = settings::MAX_CONNECTIONS;

    /// The current user's agent: XDG directories, keyring (or the file that was once asked for), system browser, and what `agent.toml` says.
    ///
    /// # Errors
    /// When there is no home directory, or `agent.toml` has a mistake.
    pub fn for_user() -> Result<Self, ConfigError> {
        let places = Places::for_user()?;
        let mut config = Self::in_dir(&places.data_dir);
        config.runtime_dir = places.runtime_dir;
        // Somebody asked for the file before: the keys are there and nowhere else.
        if config.key_file().exists() {
            config.keys = KeyStoreKind::File;
        }
        let settings = settings::read(&places.config_file)
            .map_err(|mistakes| ConfigError::File(places.config_file.clone(), mistakes))?;
        config.settings_file = places.config_file;
        config.ports = settings.ports;
        config.sockets = settings.sockets;
        config.max_connections = settings.max_connections;
        Ok(config)
    }

    /// Whether an agent would start with this text as its `agent.toml`.
    ///
    /// # Errors
    /// Every mistake in it, at once.
    pub fn check_settings(text: &str) -> Result<(), Mistakes> {
        settings::parse(text).map(drop)
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
            settings_file: dir.join("agent.toml"),
            sockets: BTreeMap::new(),
            max_connections: settings::MAX_CONNECTIONS,
            short_lived: false,
            alone: false,
            #[cfg(test)]
            keyring: None,
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
        #[cfg(test)]
        if let Some(keyring) = &self.keyring {
            return (Arc::clone(keyring), KeyHome::Keyring);
        }
        match self.keys {
            KeyStoreKind::Keyring => (Arc::new(KeyringStore), KeyHome::Keyring),
            KeyStoreKind::Memory => (Arc::new(MemoryStore::default()), KeyHome::Memory),
            KeyStoreKind::File => (Arc::new(FileStore::new(self.key_file())), KeyHome::File),
        }
    }
}
