//! `tidegate env`: the connection as commands that set variables, for `eval`.
//! A value comes from a catalogue and is run by a shell: each shell quotes in its own way, and every way is tried by a test.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dsn::{known, say_if_closed};
use super::seat::SeatArgs;
use super::which;
use crate::failure::Failure;
use crate::out::OutArgs;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eval \"$(tidegate env warehouse)\"              bash, zsh, sh
  tidegate env warehouse --shell fish | source
  tidegate env warehouse --shell powershell | Invoke-Expression
  tidegate connect warehouse -- make report      without changing this shell")]
pub(crate) struct Env {
    /// The service: `warehouse`, or `acme/warehouse`.
    service: String,
    /// Who reads the lines.
    #[arg(long, value_enum, default_value = "sh")]
    shell: Shell,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

#[derive(clap::ValueEnum, Clone, Copy)]
enum Shell {
    /// bash, zsh, dash and whatever else is like them.
    #[value(alias = "bash", alias = "zsh")]
    Sh,
    Fish,
    Powershell,
}

/// The answer of `env --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variables {
    /// `org/service`.
    pub(crate) service: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Env {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let snapshot = known(&self.seat, &self.service).await?;
        let (org, view) = which::listed(&snapshot, &self.service)?;
        say_if_closed(view);
        let variables = view.connection.variables();
        let answer = Variables {
            service: format!("{org}/{}", view.name),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        };
        let lines = variables
            .iter()
            .map(|(name, value)| line(self.shell, name, value));
        self.out
            .answer(&answer, || lines.collect::<Vec<_>>().join("\n"))
    }
}

fn line(shell: Shell, name: &str, value: &str) -> String {
    match shell {
        Shell::Sh => format!("export {name}='{}'", value.replace('\'', "'\\''")),
        Shell::Fish => {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            format!("set -gx {name} '{value}'")
        }
        Shell::Powershell => format!("$env:{name} = '{}'", value.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;

    const HOSTILE: [&str; 5] = [
        "it's",
        "$(id) `id` $HOME",
        "a\\b\\'c",
        "x\n; touch y",
        "\"q\" !",
    ];

    #[test]
    fn a_shell_gets_back_exactly_what_was_meant() {
        for value in HOSTILE {
            let script = format!("{}\nprintf '%s' \"$V\"", line(Shell::Sh, "V", value));

            let out = Command::new("sh").args(["-c", &script]).output().unwrap();

            assert_eq!(String::from_utf8(out.stdout).unwrap(), value);
        }
    }

    #[test]
    fn fish_gets_back_exactly_what_was_meant_where_there_is_one() {
        assert_eq!(line(Shell::Fish, "V", "a\\b'c"), "set -gx V 'a\\\\b\\'c'");
        for value in HOSTILE {
            let script = format!("{}\nprintf '%s' \"$V\"", line(Shell::Fish, "V", value));
            let Ok(out) = Command::new("fish").args(["-c", &script]).output() else {
                return println!("not run: there is no fish");
            };

            assert_eq!(String::from_utf8(out.stdout).unwrap(), value);
        }
    }

    #[test]
    fn powershell_doubles_its_quotes() {
        assert_eq!(
            line(Shell::Powershell, "V", "it's $x"),
            "$env:V = 'it''s $x'"
        );
    }
}
