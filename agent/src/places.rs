//! Where everything of this user's agent lives, each place once: agent, `tidegate paths` and diagnostics all ask here.
//! Nothing is made or opened: a place may not exist yet.

use std::path::PathBuf;

use tidegate_proto::problem::{Code, Problem};

/// The directories and files of one user's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `agent.toml`: what the person chose.
    pub config_file: PathBuf,
    /// State that survives.
    pub data_dir: PathBuf,
    /// The control socket's directory.
    pub runtime_dir: PathBuf,
}

impl Places {
    /// Of the current user, by the rules of the operating system (XDG on Linux).
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn for_user() -> Result<Self, Problem> {
        let home = directories::ProjectDirs::from("", "", "tidegate")
            .ok_or(Problem::new(Code::DataDirUnusable))?;
        let data_dir = home.data_dir().to_owned();
        let runtime_dir = home.runtime_dir().map(ToOwned::to_owned);
        Ok(Self {
            config_file: home.config_dir().join("agent.toml"),
            runtime_dir: runtime_dir.unwrap_or_else(|| data_dir.join("run")),
            data_dir,
        })
    }

    /// What the CLI talks to a running agent through.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime_dir.join("agent.sock")
    }

    /// What the app wrote down of what it did; what came before is beside it, see `LogFile`.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data_dir.join("log").join("agent.log")
    }

    /// Where keys are where somebody asked for a file in place of the keyring.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }
}
