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
const FISH_SERVICES: &str = include_str!("completion_services.fish");
const ZSH_SERVICES: &str = include_str!("completion_services.zsh");

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
        data(&with_services(
            self.shell,
            &String::from_utf8_lossy(&script),
        ));
    }
}

/// The verbs that take a service offer the names of those that there are; other shells know the verbs and options only.
fn with_services(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => script.to_owned() + BASH_SERVICES,
        Shell::Fish => script.to_owned() + FISH_SERVICES,
        Shell::Zsh => with_zsh_services(script),
        _ => script.to_owned(),
    }
}

/// zsh reads the file as the function itself: what comes behind its end is never read, so the names stand at its head.
fn with_zsh_services(script: &str) -> String {
    let (head, rest) = script.split_once('\n').unwrap_or((script, ""));
    let lines = rest.lines().map(|line| {
        let is_service = line
            .trim_start_matches(['\'', ':'])
            .starts_with("service --");
        match line.strip_suffix(":_default' \\").filter(|_| is_service) {
            Some(line) => format!("{line}:_tidegate_services' \\\n"),
            None => format!("{line}\n"),
        }
    });
    format!("{head}\n{ZSH_SERVICES}{}", lines.collect::<String>())
}

impl Man {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let broken = |error: std::io::Error| Trouble::unwritable(&self.directory, &error);
        std::fs::create_dir_all(&self.directory).map_err(broken)?;
        clap_mangen::generate_to(help::command(), &self.directory).map_err(broken)?;
        Ok(())
    }
}
