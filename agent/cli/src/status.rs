//! `tidegate status`: says what the agent holds open.
//! A table for people; the whole snapshot with `--json`, which is what scripts should read.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, HubState, OrgSnapshot, ServiceState, ServiceView, Snapshot};
use tidegate_link::now;
use tidegate_proto::time::UnixTime;
use tidegate_proto::words::words;

use crate::failure::Failure;
use crate::seat::{Seat, SeatArgs};

/// How long an agent of our own may take to find out.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Status {
    /// Print the whole snapshot as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    seat: SeatArgs,
}

impl Status {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let seat = Seat::take(&self.seat).await?;
        let mut watch = seat.watch().await?;
        let mut last = None;
        let settled = watch.until(LIMIT, |snapshot| {
            last = Some(snapshot.clone());
            if is_settled(snapshot) {
                ControlFlow::Break(Ok(()))
            } else {
                ControlFlow::Continue(())
            }
        });
        let settled = settled.await;
        drop(watch);
        seat.leave().await;
        // What is known after the limit is the truth too.
        let Some(snapshot) = last else { return settled };
        self.print(&snapshot)
    }

    fn print(&self, snapshot: &Snapshot) -> Result<(), Failure> {
        if self.json {
            let text = serde_json::to_string_pretty(snapshot)
                .map_err(|error| Failure::internal("the answer cannot be printed", &error))?;
            println!("{text}");
        } else {
            print!("{}", table(snapshot, now()));
        }
        Ok(())
    }
}

/// Whether the first words with every hub are over.
fn is_settled(snapshot: &Snapshot) -> bool {
    let mut orgs = snapshot.orgs.iter();
    orgs.all(|org| org.hub != HubState::Connecting)
}

fn table(snapshot: &Snapshot, now: UnixTime) -> String {
    let mut lines = Vec::new();
    if snapshot.orgs.is_empty() {
        let account = if snapshot.joining {
            "joining"
        } else {
            "not joined to any organisation"
        };
        lines.extend([format!("account  {account}"), "hub      -".into()]);
    }
    for org in &snapshot.orgs {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        org_lines(org, now, &mut lines);
    }
    for (_, problem) in snapshot.shown(now) {
        lines.push(String::new());
        let words = words(problem);
        lines.push(format!(
            "{} ({})\n  {}\n  {}",
            words.title, words.code, words.cause, words.next
        ));
    }
    lines.join("\n") + "\n"
}

fn org_lines(org: &OrgSnapshot, now: UnixTime, lines: &mut Vec<String>) {
    lines.push(format!("account  {}", account(&org.account, now)));
    lines.push(format!("hub      {}", hub(org)));
    if !org.services.is_empty() {
        lines.push(String::new());
        lines.push(row(["SERVICE", "STATE", "LEFT", "PORT", "PORTALS"]));
    }
    let services = org.services.iter();
    lines.extend(services.map(|service| service_row(service, now)));
}

fn account(account: &AccountView, now: UnixTime) -> String {
    match account {
        AccountView::SignedOut { last: None } => "signed out".into(),
        AccountView::SignedOut { last: Some(last) } => format!("signed out (last: {last})"),
        AccountView::SigningIn(_) => "signing in".into(),
        AccountView::SignedIn { name, until } => format!("{name}, for {}", left(*until, now)),
    }
}

fn hub(org: &OrgSnapshot) -> String {
    let state = match org.hub {
        HubState::Connected => "",
        HubState::Connecting => ", connecting",
        HubState::Away { .. } => ", away",
    };
    format!("{} ({}){state}", org.hub_address, org.name)
}

fn service_row(service: &ServiceView, now: UnixTime) -> String {
    let (state, until) = match &service.state {
        ServiceState::Idle => ("-", None),
        ServiceState::Connecting { .. } => ("connecting", None),
        ServiceState::Connected { until, .. } => ("connected", Some(*until)),
        ServiceState::Disconnecting => ("disconnecting", None),
        ServiceState::Failed(_) => ("failed", None),
    };
    let left = until.map_or("-".into(), |until| left(until, now));
    let cells = [
        service.name.as_str(),
        state,
        &left,
        &service.port.to_string(),
        &service.portals.to_string(),
    ];
    let failed = match &service.state {
        ServiceState::Failed(problem) => format!("\n  {}", words(problem).line()),
        _ => String::new(),
    };
    row(cells) + &failed
}

fn row(cells: [&str; 5]) -> String {
    let [service, state, left, port, portals] = cells;
    format!("{service:<20} {state:<14} {left:<12} {port:<6} {portals}")
        .trim_end()
        .to_owned()
}

/// `7 h 59 min`, `4 min`.
fn left(until: UnixTime, now: UnixTime) -> String {
    let minutes = now.until(until) / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// How long a connected service stays so, in words.
pub(crate) fn until(state: &ServiceState) -> String {
    match state {
        ServiceState::Connected { until, .. } => {
            format!("the session ends ({} left)", left(*until, now()))
        }
        _ => "it ends".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_agent::{ConnectionStrings, KeyHome, Problem, ServiceKind, Traffic};
    use tidegate_proto::problem::Code;

    use super::*;

    fn snapshot() -> Snapshot {
        let service = |name: &str, state| ServiceView {
            name: name.parse().unwrap(),
            title: String::new(),
            kind: ServiceKind::Postgres,
            state,
            port: 15432,
            connection: ConnectionStrings::new(
                &name.parse().unwrap(),
                ServiceKind::Postgres,
                15432,
                None,
            ),
            traffic: Traffic::default(),
            portals: 2,
        };
        let acme = OrgSnapshot {
            name: "acme".parse().unwrap(),
            hub_address: "hub.example:443".parse().unwrap(),
            device: "laptop".into(),
            link: String::new(),
            enrolling: None,
            devices: vec![],
            device_requests: vec![],
            signing_out: false,
            account: AccountView::SignedIn {
                name: "ana@example.org".into(),
                until: UnixTime(28_740),
            },
            hub: HubState::Connected,
            services: vec![
                service(
                    "reports",
                    ServiceState::Failed(Problem::new(Code::OutletAbsent)),
                ),
                service(
                    "warehouse",
                    ServiceState::Connected {
                        since: UnixTime(0),
                        until: UnixTime(240),
                    },
                ),
            ],
            problems: vec![Problem::new(Code::ClockOff)],
        };
        Snapshot {
            orgs: vec![acme],
            ..Snapshot::empty(KeyHome::Keyring)
        }
    }

    #[test]
    fn the_table_says_who_what_and_how_long() {
        let text = table(&snapshot(), UnixTime(0));

        assert!(
            text.contains(
                "account  ana@example.org, for 7 h 59 min\nhub      hub.example:443 (acme)\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("warehouse            connected      4 min        15432  2\n"),
            "{text}"
        );
        assert!(
            text.contains("(TG-1004)") && text.contains("(TG-1006)"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn nobody_needs_an_agent_to_be_told_that_nothing_is_there() {
        let empty = Snapshot::empty(KeyHome::Keyring);

        assert!(is_settled(&empty));
        assert_eq!(
            table(&empty, UnixTime(0)),
            "account  not joined to any organisation\nhub      -\n"
        );
    }
}
