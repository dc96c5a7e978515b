//! `tidegate status`: says what the agent holds open.
//! A table for people; with `--json` everything, which is what scripts should read; with `--follow` each change as it comes.

use std::time::Duration;

use tidegate_agent::{AccountView, HubState, OrgSnapshot, Snapshot};
use tidegate_link::now;
use tidegate_proto::problem::{Code, next_shown};
use tidegate_proto::time::UnixTime;
use tokio::time::sleep;

use super::events::{Event, Line, between};
use super::ls::{left, services_table};
use super::report::{Status as Report, Trouble};
use super::seat::{Seat, SeatArgs, Watch};
use crate::failure::Failure;
use crate::out::{OutArgs, data, json, reader_gone};
use crate::signals::{Signal, Signals};
use crate::table::{Screen, Tone, cell, plain};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate status
  tidegate status --json | jq '.services[] | {name, state, until}'
  tidegate status --follow --json     one JSON object for each change, until Ctrl-C")]
pub(crate) struct Status {
    /// Go on and say what changes, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Status {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let seat = match self.follow {
            true => Seat::take(&self.seat).await?,
            false => Seat::glance(&self.seat).await?,
        };
        let ended = if self.follow {
            self.follow(seat.watch().await?).await
        } else {
            self.once(&seat).await
        };
        seat.leave().await;
        ended
    }

    async fn once(&self, seat: &Seat) -> Result<(), Failure> {
        let snapshot = seat.look(true).await?;
        let report = Report::of(&snapshot);
        let words = || page(&snapshot, &report.problems, Screen::out(), now());
        self.out.answer(&report, words)
    }

    async fn follow(&self, mut watch: Watch) -> Result<(), Failure> {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be heard", &error))?;
        let mut told: Option<(Snapshot, Report)> = None;
        loop {
            let mut next = std::pin::pin!(watch.next());
            let snapshot = loop {
                tokio::select! {
                    snapshot = &mut next => break snapshot,
                    signal = signals.next() => match signal {
                        Signal::End => return Ok(()),
                        Signal::Reload => {}
                    },
                    () = reader_gone() => return Ok(()),
                    // Time passes between snapshots: what may have gone away by itself has not.
                    () = one_more_is_shown(told.as_ref()) => if let Some((snapshot, before)) = &mut told {
                        *before = self.changes(Some(before), snapshot)?;
                    },
                }
            };
            match snapshot {
                Ok(snapshot) => {
                    let before = told.as_ref().map(|(_, report)| report);
                    let after = self.changes(before, &snapshot)?;
                    told = Some((snapshot, after));
                }
                Err(failure) => {
                    self.tell(Event::Ended)?;
                    return Err(failure);
                }
            }
        }
    }

    /// Says what is different now; the first time how everything is.
    fn changes(&self, before: Option<&Report>, snapshot: &Snapshot) -> Result<Report, Failure> {
        let after = Report::of(snapshot);
        match before {
            Some(before) => {
                for event in between(before, &after) {
                    self.tell(event)?;
                }
            }
            None if self.out.json => self.tell(Event::Status {
                status: Box::new(after.clone()),
            })?,
            None => data(&page(snapshot, &after.problems, Screen::out(), now())),
        }
        Ok(after)
    }

    fn tell(&self, event: Event) -> Result<(), Failure> {
        if self.out.json {
            let at = now().0;
            return json(&Line { at, event });
        }
        data(&sentence(&event));
        Ok(())
    }
}

/// Waits until a problem that is there already is old enough to be shown.
async fn one_more_is_shown(told: Option<&(Snapshot, Report)>) {
    let wait = told.and_then(|(snapshot, _)| next_shown(snapshot.all_problems(), now()));
    match wait {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// An event for a person.
fn sentence(event: &Event) -> String {
    match event {
        Event::Status { .. } => String::new(),
        Event::Joining { joining: true } => "joining an organisation".into(),
        Event::Joining { joining: false } => "joining has ended".into(),
        Event::Org { org } => {
            let (name, account, hub) = (&org.name, org.account.replace('_', " "), &org.hub_state);
            match &org.person {
                Some(person) => format!("{name}: {account} ({person}), hub {hub}"),
                None => format!("{name}: {account}, hub {hub}"),
            }
        }
        Event::OrgGone { org } => format!("{org}: left"),
        Event::Service { service } => {
            let (org, name, state) = (&service.org, &service.name, &service.state);
            match &service.problem {
                Some(problem) if service.reconnecting > 0 => {
                    let programs = service.reconnecting;
                    format!("{org}/{name}: reconnecting {programs}: {}", problem.title)
                }
                Some(problem) => format!("{org}/{name}: {state}: {}", problem.title),
                None if service.programs > 0 => {
                    format!("{org}/{name}: {state}, {} in use", service.programs)
                }
                None => format!("{org}/{name}: {state}"),
            }
        }
        Event::ServiceGone { org, service } => format!("{org}/{service}: not available any more"),
        Event::Problem { problem } => format!("{} ({})", problem.title, problem.code),
        Event::ProblemGone { problem } => format!("solved: {} ({})", problem.title, problem.code),
        Event::Ended => "the agent has ended".into(),
    }
}

fn page(snapshot: &Snapshot, problems: &[Trouble], screen: Screen, now: UnixTime) -> String {
    if snapshot.orgs.is_empty() && problems.is_empty() {
        let joining = if snapshot.joining {
            "joining"
        } else {
            "not joined to any organisation"
        };
        return format!("{joining}\n");
    }
    let orgs: Vec<_> = snapshot
        .orgs
        .iter()
        .map(|org| {
            let (account, tone) = account(org, now);
            vec![
                plain(org.name.as_str()),
                cell(&account, tone),
                plain(&hub(org)),
            ]
        })
        .collect();
    let mut parts = vec![
        screen.table(&["ORG", "ACCOUNT", "HUB"], &orgs),
        services_table(snapshot, screen, now),
    ];
    parts.extend(problems.iter().map(|problem| {
        let title = screen.paint(&problem.title, Tone::Bad);
        format!(
            "{title} ({})\n  {}\n  {}\n",
            problem.code, problem.cause, problem.next
        )
    }));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn account(org: &OrgSnapshot, now: UnixTime) -> (String, Tone) {
    match &org.account {
        AccountView::SignedOut { last: None } => ("signed out".into(), Tone::Waiting),
        AccountView::SignedOut { last: Some(last) } => {
            (format!("signed out (last: {last})"), Tone::Waiting)
        }
        AccountView::SigningIn(_) => ("signing in".into(), Tone::Waiting),
        AccountView::SignedIn { name, until, .. } => {
            (format!("{name}, for {}", left(*until, now)), Tone::Good)
        }
    }
}

fn hub(org: &OrgSnapshot) -> String {
    let state = match org.hub {
        HubState::Connected => "connected",
        HubState::Connecting => "connecting",
        HubState::Away { .. } => "away",
    };
    let why = org
        .problems
        .iter()
        .any(|problem| problem.code == Code::ClockOff);
    let clock = if why { ", clock is wrong" } else { "" };
    format!("{} ({state}{clock})", org.hub_address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::samples::two_orgs;

    const PIPE: Screen = Screen {
        width: None,
        colour: false,
    };

    #[test]
    fn the_page_says_who_what_and_how_long() {
        let snapshot = two_orgs();
        let problems = Report::of(&snapshot).problems;

        let text = page(&snapshot, &problems, PIPE, UnixTime(0));

        for line in [
            "acme  ana@example.org, for 7 h 59 min  hub.example:443 (connected)\n",
            "acme/reports    failed            15432  2         -\n",
            "acme/warehouse  connected  4 min  15432  2         -\n",
            "beta/warehouse  -          -      15432  2         -\n",
            "(TG-1006)\n",
        ] {
            let line = line.replace("failed            15432", "failed     -      15432");
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(text.lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn a_computer_without_an_organisation_is_told_so() {
        let empty = Snapshot::empty(tidegate_agent::KeyHome::Keyring);

        let text = page(&empty, &[], PIPE, UnixTime(0));

        assert_eq!(text, "not joined to any organisation\n");
    }
}
