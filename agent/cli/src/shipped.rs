//! What packages ship beside the program: completions for shells and manual pages, made from the same definitions as the help.
//! A package's build runs `tidegate completions SHELL` and `tidegate man DIRECTORY`; nothing of it is kept in the repository.

use std::path::PathBuf;

use clap_complete::Shell;

use crate::failure::Failure;
use crate::help;
use crate::out::data;
use crate::trouble::Trouble;

/// Names of services are asked for when the key is pressed: from the agent's memory, without waiting for a hub.
const BASH_SERVICES: &str = include_str!("completion_services.bash");

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate
  tidegate completions zsh > ~/.zfunc/_tidegate
  tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(crate) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(clap::Args)]
pub(crate) struct Man {
    /// The directory; made if it is not there. Gets `tidegate.1`, `tidegate-connect.1` and so on.
    directory: PathBuf,
}

impl Completions {
    pub(crate) fn run(self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut help::command(), "tidegate", &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            script += BASH_SERVICES;
        }
        data(&script);
    }
}

impl Man {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let broken = |error: std::io::Error| Trouble::unwritable(&self.directory, &error);
        std::fs::create_dir_all(&self.directory).map_err(broken)?;
        clap_mangen::generate_to(help::command(), &self.directory).map_err(broken)?;
        Ok(())
    }
}
