//! `tidegate doctor`: looks at everything between this person and a query, and says how to mend what is broken.
//! The checks are the agent's; here they are asked for and printed. It works without a running agent, and with a broken one.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_agent::doctor::{self, Check, Patient, Verdict};
use tidegate_agent::{Action, AgentConfig, Code, Places, Problem, ServiceState, Snapshot};

use super::seat::{Seat, SeatArgs};
use super::which;
use crate::failure::{Exit, Failure, at_a_terminal, exit};
use crate::out::{OutArgs, note};
use crate::table::{Screen, Tone};

/// For connecting to the service that was named.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate doctor              this computer and the way to your organisation
  tidegate doctor warehouse    connects to it, too, and asks the database for SELECT 1
  tidegate doctor --json | jq '.checks[] | select(.verdict == \"fail\")'

Exit codes: 0 when nothing fails, else that of the first failure: 3 sign in first, 5 network, 6 this computer and so on.")]
pub(crate) struct Doctor {
    /// Connect to this service as well, and ask it for a row.
    service: Option<String>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

/// The answer of `doctor`, `outlet doctor` and `relay doctor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// `ok`, `warn` or `fail`.
    pub(crate) worst: String,
    pub(crate) checks: Vec<Found>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    /// `clock`, `hub` and so on.
    pub(crate) name: String,
    /// The org, service or file that it is about.
    pub(crate) about: Option<String>,
    /// `ok`, `warn`, `fail` or `skipped`.
    pub(crate) verdict: String,
    pub(crate) finding: String,
    /// What to do, where there is something to do.
    pub(crate) fix: Option<String>,
    /// `TG-1001`, where it has a code.
    pub(crate) code: Option<String>,
}

impl Doctor {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let checks = examined(&self.seat, self.service.as_deref()).await?;
        answer(&checks, self.out)
    }
}

/// Prints what a doctor found; the exit code is that of the first failure.
pub(crate) fn answer(checks: &[Check], out: OutArgs) -> Result<ExitCode, Failure> {
    let failed = checks.iter().find(|check| check.verdict == Verdict::Fail);
    let code = failed.map(|check| check.code.map_or(Exit::ThisComputer, exit));
    let answer = Answer::of(checks);
    out.answer(&answer, || answer.page(Screen::out()))?;
    Ok(code.map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8)))
}

/// The agent's checks; a running agent is asked, else one of our own.
pub(super) async fn examined(
    args: &SeatArgs,
    service: Option<&str>,
) -> Result<Vec<Check>, Failure> {
    let places = Places::for_user()?;
    let config = match AgentConfig::for_user() {
        Ok(config) => config,
        Err(error) => {
            return Ok(doctor::examine(&patient(places, args, Err(error.into()), false)).await);
        }
    };
    let keys = args.keys_or(config.keys);
    drop(config);
    let mut seat = match Seat::take(args).await {
        Ok(seat) => seat,
        Err(failure) => {
            let problem = Problem::new(failure.code().unwrap_or(Code::Internal));
            return Ok(doctor::examine(&patient(places, args, Err(problem), false)).await);
        }
    };
    let snapshot = asked(&mut seat, service).await;
    let running = !seat.is_own();
    let checks = match snapshot {
        Ok(snapshot) => {
            let patient = Patient {
                places,
                keys,
                snapshot: Ok(snapshot),
                running,
            };
            Ok(doctor::examine(&patient).await)
        }
        Err(failure) => Err(failure),
    };
    seat.leave().await;
    checks
}

fn patient(
    places: Places,
    args: &SeatArgs,
    snapshot: Result<Snapshot, Problem>,
    running: bool,
) -> Patient {
    Patient {
        places,
        keys: args.keys_or(tidegate_agent::KeyStoreKind::default()),
        snapshot,
        running,
    }
}

/// The snapshot to look at, after connecting to the service that was named.
async fn asked(seat: &mut Seat, service: Option<&str>) -> Result<Snapshot, Failure> {
    let snapshot = seat.look(true).await?;
    let Some(text) = service else {
        return Ok(snapshot);
    };
    let service = which::service(&snapshot, text)?;
    let order = Action::Connect {
        service: service.clone(),
    };
    if let Err(failure) = seat.act(order).await {
        note(&failure.to_string());
    }
    let settled = |snapshot: &Snapshot| match snapshot.service(&service).map(|view| &view.state) {
        Some(ServiceState::Connected { .. } | ServiceState::Failed(_)) => {
            ControlFlow::Break(Ok(()))
        }
        Some(_) | None => ControlFlow::Continue(()),
    };
    // Whatever kept it from connecting is what the checks will say.
    let _ = seat.watch().await?.until(CONNECT_LIMIT, settled).await;
    seat.look(false).await
}

/// The words of the check, and the command where there is one.
fn fix(check: &Check) -> Option<String> {
    let fix = check.fix.clone()?;
    let service = check.about.as_deref();
    let service = service.map(|about| about.rsplit('/').next().unwrap_or(about));
    Some(match check.code {
        Some(code) => at_a_terminal(code, service, fix),
        None => fix,
    })
}

impl Answer {
    pub(super) fn of(checks: &[Check]) -> Self {
        let word = |verdict: Verdict| match verdict {
            Verdict::Skipped => "skipped",
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        let worst = checks
            .iter()
            .map(|check| check.verdict.max(Verdict::Ok))
            .max();
        Self {
            worst: word(worst.unwrap_or(Verdict::Ok)).into(),
            checks: checks
                .iter()
                .map(|check| Found {
                    name: check.name.clone(),
                    about: check.about.clone(),
                    verdict: word(check.verdict).into(),
                    finding: check.finding.clone(),
                    fix: fix(check),
                    code: check.code.map(|code| code.to_string()),
                })
                .collect(),
        }
    }

    /// A line for each check, and the fix under each that needs one.
    pub(crate) fn page(&self, screen: Screen) -> String {
        let widest = self.checks.iter().map(|check| check.name.len()).max();
        let width = widest.unwrap_or_default();
        let mut page = String::new();
        for check in &self.checks {
            let (mark, tone) = match check.verdict.as_str() {
                "ok" => ("ok  ", Tone::Good),
                "warn" => ("warn", Tone::Waiting),
                "fail" => ("FAIL", Tone::Bad),
                _ => ("-   ", Tone::Faint),
            };
            let about = check.about.as_ref().map(|about| format!("{about}: "));
            let code = check.code.as_ref().map(|code| format!(" ({code})"));
            page += &format!(
                "{}  {:<width$}  {}{}{}\n",
                screen.paint(mark, tone),
                check.name,
                about.unwrap_or_default(),
                check.finding,
                code.unwrap_or_default(),
            );
            if let Some(fix) = &check.fix {
                page += &format!("      {:<width$}  → {fix}\n", "");
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_puts_the_fix_under_what_is_broken() {
        let check = |name: &str, verdict: &str, fix: Option<&str>| Found {
            name: name.into(),
            about: None,
            verdict: verdict.into(),
            finding: "It is so.".into(),
            fix: fix.map(str::to_owned),
            code: fix.map(|_| "TG-1001".into()),
        };
        let answer = Answer {
            worst: "fail".into(),
            checks: vec![
                check("dns", "ok", None),
                check("hub", "fail", Some("Mend it.")),
            ],
        };
        let screen = Screen {
            width: None,
            colour: false,
        };

        assert_eq!(
            answer.page(screen),
            "ok    dns  It is so.\nFAIL  hub  It is so. (TG-1001)\n           → Mend it.\n"
        );
    }
}
