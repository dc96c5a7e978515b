//! `tidegate paths`: where everything lives on this computer.
//! It opens nothing, so it answers too when a file in there is the trouble.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::{Places, pg_service};

use crate::failure::Failure;
use crate::out::OutArgs;
use crate::table::{Screen, Tone, cell, plain};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate paths
  tidegate paths --json | jq -r .config_file")]
pub(crate) struct Paths {
    #[command(flatten)]
    pub(super) out: OutArgs,
}

/// The answer of `paths`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// What you chose; made by `tidegate config set`.
    pub(crate) config_file: String,
    /// Organisations, and what was seen of them. No secret, but yours alone.
    pub(crate) data_dir: String,
    /// Keys, where they are kept in a file in place of the keyring.
    pub(crate) key_file: String,
    /// What the app wrote down of what it did; `tidegate bundle` takes its end.
    pub(crate) log_file: String,
    /// The control socket of a running agent.
    pub(crate) socket: String,
    /// The file that `tidegate dsn --as pg_service --write` edits.
    pub(crate) pg_service_file: Option<String>,
    /// This program.
    pub(crate) program: Option<String>,
}

impl Paths {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let answer = answer(&Places::for_user()?);
        self.out.answer(&answer, || table(&answer, Screen::out()))
    }
}

pub(crate) fn answer(places: &Places) -> Answer {
    let text = |path: &Path| path.display().to_string();
    Answer {
        config_file: text(&places.config_file),
        data_dir: text(&places.data_dir),
        key_file: text(&places.key_file()),
        log_file: text(&places.log_file()),
        socket: text(&places.socket()),
        pg_service_file: pg_service::path().ok().as_deref().map(text),
        program: std::env::current_exe().ok().as_deref().map(text),
    }
}

fn table(answer: &Answer, screen: Screen) -> String {
    let row = |name: &str, path: &str| {
        let exists = Path::new(path).exists();
        let (there, tone) = if exists {
            ("yes", Tone::Good)
        } else {
            ("no", Tone::Faint)
        };
        vec![plain(name), cell(there, tone), plain(path)]
    };
    let fixed = [
        ("settings", &answer.config_file),
        ("data", &answer.data_dir),
        ("keys, if in a file", &answer.key_file),
        ("log of the app", &answer.log_file),
        ("control socket", &answer.socket),
    ];
    let mut rows: Vec<_> = fixed.map(|(name, path)| row(name, path)).into();
    let others = [
        ("pg_service.conf", &answer.pg_service_file),
        ("this program", &answer.program),
    ];
    let others = others
        .into_iter()
        .filter_map(|(name, path)| Some(row(name, path.as_ref()?)));
    rows.extend(others);
    // A path is for copying: it is never cut.
    let screen = Screen {
        width: None,
        ..screen
    };
    screen.table(&["WHAT", "THERE", "WHERE"], &rows)
}
