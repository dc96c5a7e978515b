//! `tidegate bundle`: what somebody who helps needs to know, in one file that this person has read before it is saved.
//! Nothing is collected and cleaned afterwards: each part is made from values without secrets, and `redact` goes over all of it once more.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_agent::doctor::Check;
use tidegate_agent::{NameOf, Places, names_on_disk, of_service};
use tidegate_link::{keyfile, now};

use super::config::{Settings, in_force};
use super::doctor::{Answer, examined};
use super::paths;
use super::redact::{Level, Redactor, of_surroundings, said};
use super::report::Status;
use super::seat::{Seat, SeatArgs};
use crate::failure::{Exit, Failure};
use crate::out::{OutArgs, asked, note};
use crate::trouble::Trouble;

/// How much of the end of a log is taken, in bytes.
const LOG_TAIL: u64 = 64 * 1024;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate bundle                          shows what would be saved, and asks
  tidegate bundle --level summary --yes    versions and verdicts only
  tidegate bundle --level full --log app.log

Levels: summary has no name of anything; normal replaces people, hosts, organisations and services by numbers;
full keeps those names. Below full, reasons and refusals in other people's words are left out, and every host, address and
folder that is not the system's is a number, too. No level has a password, key, token, link or SQL.")]
pub(crate) struct Bundle {
    /// How much goes in.
    #[arg(long, value_enum, default_value = "normal")]
    level: Level,
    /// The file to make; never overwritten.
    #[arg(long, short)]
    out_file: Option<PathBuf>,
    /// Another log than the app's own, whose end goes in as well, cleaned like the rest.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

/// The answer of `bundle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// Where it was saved.
    pub(crate) file: String,
}

impl Bundle {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let checks = examined(&self.seat, None).await?;
        let status = self.status().await;
        let places = Places::for_user()?;
        let own = Some(places.log_file()).filter(|log| log.exists());
        let log = self.log.clone().or(own);
        let log = log.as_deref().map(tail).transpose()?;
        let parts = Parts {
            checks: &checks,
            status: status.as_ref(),
            config: in_force(&places).ok(),
            paths: json!(paths::answer(&places)),
            log,
            kept: kept(&places),
        };
        let bundle = assemble(self.level, parts);
        let text = serde_json::to_string_pretty(&bundle)
            .map_err(|error| Failure::internal("the bundle cannot be written", &error))?;
        let path = self.path();
        self.agree(&text, &path)?;
        keyfile::create(&path, text.as_bytes()).map_err(|error| Trouble::file(&path, error))?;
        let shown = path.display().to_string();
        let saved = Saved { file: shown };
        self.out.answer(&saved, || saved.file.clone())
    }

    /// `None` where no agent can say: that is in the checks.
    async fn status(&self) -> Option<Status> {
        let seat = Seat::glance(&self.seat).await.ok()?;
        let snapshot = seat.look(false).await;
        seat.leave().await;
        Some(Status::of(&snapshot.ok()?))
    }

    fn path(&self) -> PathBuf {
        let name = format!("tidegate-bundle-{}.json", now().0);
        self.out_file.clone().unwrap_or_else(|| name.into())
    }

    /// Shows all of it: nobody should have to trust us about what is in there.
    fn agree(&self, text: &str, path: &Path) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        note(text);
        let question = format!("Save this as {}?", path.display());
        match asked(&question) {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::new(
                Exit::Usage,
                "nothing was saved",
                "you did not say yes",
                "choose another --level, or run this again",
            )),
            None => Err(Failure::new(
                Exit::Usage,
                "nobody can be asked whether that may be saved",
                "there is no terminal here",
                "read what is above, then add --yes",
            )),
        }
    }
}

/// What a bundle is made of.
pub(super) struct Parts<'a> {
    pub(super) checks: &'a [Check],
    pub(super) status: Option<&'a Status>,
    pub(super) config: Option<Settings>,
    pub(super) paths: Value,
    pub(super) log: Option<Log>,
    /// Names that are in no other part, or in none when no agent answers.
    pub(super) kept: Vec<(NameOf, String)>,
}

/// The end of a log.
pub(super) struct Log {
    pub(super) text: String,
    /// Its beginning is missing.
    pub(super) is_cut: bool,
}

impl Parts<'_> {
    /// Every name that is known to be one, in the order in which they are numbered.
    fn names(&self) -> Vec<(NameOf, String)> {
        let mut names = self.status.map(Status::names).unwrap_or_default();
        names.extend(self.kept.iter().cloned());
        let settings = self.config.iter().flat_map(|config| &config.settings);
        for setting in settings {
            if let Some(("ports" | "sockets", service)) = setting.key.split_once('.') {
                names.extend(of_service(service));
            }
        }
        names
    }
}

/// The bundle, cleaned.
pub(super) fn assemble(level: Level, parts: Parts<'_>) -> Value {
    let mut redactor = Redactor::new(level, &parts.names());
    let verdicts = parts.checks.iter().map(|check| {
        json!({ "name": check.name, "verdict": check.verdict, "code": check.code.map(|code| code.to_string()) })
    });
    // All of this is in words of ours.
    let mut bundle = json!({
        "tidegate": env!("CARGO_PKG_VERSION"),
        "level": level.name(),
        "made": now().0,
        "system": { "os": std::env::consts::OS, "architecture": std::env::consts::ARCH, "kernel": kernel() },
        "verdicts": verdicts.collect::<Vec<_>>(),
    });
    if level == Level::Summary {
        return bundle;
    }
    // The log first: its fields are names, too.
    let log = parts.log.map(|log| redactor.log(&log.text, log.is_cut));
    let mut checks = json!(Answer::of(parts.checks).checks);
    let mut status = json!(parts.status.map(without_addresses));
    if level < Level::Full {
        said::bare(&mut checks);
        said::bare(&mut status);
    }
    bundle["checks"] = redactor.clean(checks);
    bundle["status"] = redactor.clean(status);
    bundle["config"] = redactor.clean(json!(parts.config));
    bundle["paths"] = redactor.clean(parts.paths);
    bundle["log"] = json!(log);
    bundle
}

/// A sign-in page is nobody else's business, whatever is in it.
fn without_addresses(status: &Status) -> Status {
    let mut status = status.clone();
    for org in &mut status.orgs {
        org.sign_in_url = None;
    }
    status
}

/// Names that are on this computer, whether an agent answers or not.
fn kept(places: &Places) -> Vec<(NameOf, String)> {
    let mut names = names_on_disk(&places.data_dir);
    names.extend(of_surroundings());
    names
}

fn kernel() -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim().to_owned())
}

/// The end of a log, from the beginning of a line.
fn tail(path: &Path) -> Result<Log, Failure> {
    let read = || {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let is_cut = length > LOG_TAIL;
        let whole = text.split_once('\n').filter(|_| is_cut);
        let text = whole.map_or(text.clone(), |(_, rest)| rest.to_owned());
        Ok(Log { text, is_cut })
    };
    read().map_err(|error: std::io::Error| {
        Failure::new(
            Exit::ThisComputer,
            format!("{} cannot be read", path.display()),
            error.to_string(),
            "name the log file with --log, or leave it out",
        )
    })
}
