//! `tidegate ls`: the services that this person may see.
//! What is not in the list does not exist for them: forbidden and unknown are the same.

use tidegate_agent::{ServiceState, ServiceView, Snapshot};
use tidegate_link::now;
use tidegate_proto::time::UnixTime;

use super::report::{Services, Status};
use super::seat::{Seat, SeatArgs};
use crate::failure::Failure;
use crate::out::{OutArgs, data};
use crate::table::{Cell, Screen, Tone, cell, plain};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate ls
  tidegate ls --json | jq -r '.services[] | select(.state == \"connected\") | .url'")]
pub(crate) struct Ls {
    /// Only the names, one a line, as they are remembered here: for completions.
    #[arg(long, hide = true)]
    names: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Ls {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let seat = Seat::glance(&self.seat).await?;
        let snapshot = seat.look(!self.names).await;
        seat.leave().await;
        let snapshot = snapshot?;
        if self.names {
            data(&names(&snapshot).join("\n"));
            return Ok(());
        }
        if snapshot.orgs.is_empty() {
            return Err(snapshot
                .find_org(None)
                .err()
                .map_or_else(nothing, Failure::from));
        }
        let services = Status::of(&snapshot).services;
        let words = || {
            let table = services_table(&snapshot, Screen::out(), now());
            if table.is_empty() {
                "No service is open to you. Sign in first, or ask your administrator.".into()
            } else {
                table
            }
        };
        self.out.answer(
            &Services {
                services: services.clone(),
            },
            words,
        )
    }
}

/// As a person would type them: with the org where the bare name does not say which.
fn names(snapshot: &Snapshot) -> Vec<String> {
    let named = snapshot.services().map(|(org, service)| {
        let bare = service.name.to_string();
        match snapshot.find(&bare) {
            Ok(_) => bare,
            Err(_) => format!("{}/{}", org.name, service.name),
        }
    });
    named.collect()
}

fn nothing() -> Failure {
    tidegate_proto::problem::Code::NotJoined.into()
}

/// One row for each service; the org is named where there are several.
pub(super) fn services_table(snapshot: &Snapshot, screen: Screen, now: UnixTime) -> String {
    let several = snapshot.orgs.len() > 1;
    let rows: Vec<_> = snapshot
        .services()
        .map(|(org, service)| {
            let name = if several {
                format!("{}/{}", org.name, service.name)
            } else {
                service.name.to_string()
            };
            row(&name, service, now)
        })
        .collect();
    let heads = ["SERVICE", "STATE", "LEFT", "PORT", "PROGRAMS", "TITLE"];
    screen.table(&heads, &rows)
}

fn row(name: &str, service: &ServiceView, now: UnixTime) -> Vec<Cell> {
    let (state, tone, until) = match &service.state {
        ServiceState::Connected { until, .. } if service.reconnecting.is_some() => {
            ("reconnecting", Tone::Waiting, Some(*until))
        }
        ServiceState::Idle => ("", Tone::Faint, None),
        ServiceState::Connecting { .. } => ("connecting", Tone::Waiting, None),
        ServiceState::Connected { until, .. } => ("connected", Tone::Good, Some(*until)),
        ServiceState::Disconnecting => ("disconnecting", Tone::Waiting, None),
        ServiceState::Failed(_) => ("failed", Tone::Bad, None),
    };
    let left = until.map(|until| left(until, now)).unwrap_or_default();
    let programs = match service.portals {
        0 => String::new(),
        some => some.to_string(),
    };
    vec![
        plain(name),
        cell(state, tone),
        plain(&left),
        plain(&service.port.to_string()),
        plain(&programs),
        cell(&service.title, Tone::Faint),
    ]
}

/// `7 h 59 min`, `4 min`, `40 s`.
pub(super) fn left(until: UnixTime, now: UnixTime) -> String {
    let seconds = now.until(until);
    let minutes = seconds / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
