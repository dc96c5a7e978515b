//! `tidegate connect`: opens the inlet of a service, at the running agent or until Ctrl-C at one of its own.
//! It ends with success only when the outlet has answered: a port that merely exists is not a connection.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tidegate_agent::{
    AccountView, Action, ConnectStep, Follower, Form, GrantHere, HubState, OrgSnapshot, Problem,
    ServiceRef, ServiceState, ServiceView, Snapshot, UnixTime,
};
use tidegate_link::now;
use tidegate_proto::problem::{Actor, Code};
use tidegate_proto::span;

use super::child;
use super::disconnect::is_open;
use super::ls::left;
use super::report::Service;
use super::seat::{Seat, SeatArgs, Watch, sign_in_problem};
use super::which;
use crate::failure::Failure;
use crate::out::{OutArgs, note};
use crate::signals::{Signal, Signals};

/// Seconds that the hub may be away before this verb gives up.
const AWAY_LIMIT: u64 = 15;
/// How long all but people may take, in seconds, and how long people may.
const PATIENCE: u64 = 330;
const PEOPLE: u64 = 86_400;
/// For closing a port after a program has ended.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate connect warehouse              opens its port; without the app, until Ctrl-C
  tidegate connect warehouse -- psql      runs psql with PGHOST, PGPORT and so on set, and disconnects when it ends
  tidegate connect warehouse -- jupyter lab
  tidegate connect warehouse --json | jq -r .url

Exit codes: 3 sign in first, 4 refused, 5 network, 7 too slow, 8 no such service. With a program: the program's own.")]
pub(crate) struct Connect {
    /// The service: `warehouse`, or `acme/warehouse`.
    service: String,
    /// Give up after so many seconds, sign-in and approval included; 330 if you do not say, and then people may take a day.
    #[arg(long)]
    timeout: Option<u64>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
    /// A program to run with the connection in its environment; it is closed when the program ends.
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl Connect {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let ended = self.stay(&mut seat).await;
        seat.leave().await;
        ended
    }

    async fn stay(&self, seat: &mut Seat) -> Result<ExitCode, Failure> {
        let signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be heard", &error))?;
        let before = seat.look(false).await?;
        let service = which::service(&before, &self.service)?;
        let connected = self.connect(seat, &service).await;
        if connected.is_err() && !is_wanted(&before, &service) {
            withdraw(seat, &service).await;
        }
        let connected = connected?;
        let view = connected.service(&service);
        let view = view.ok_or_else(|| Failure::from(Code::Internal))?;
        if !self.program.is_empty() {
            let ended = child::run(&self.program, &view.connection, signals).await;
            if !is_open(&before, &service) {
                close(seat, &service).await?;
            }
            return ended;
        }
        let forms = Service::with_forms(&service.org, view);
        self.out.answer(&forms, || lines(view))?;
        if seat.is_own() {
            note(&format!(
                "Connected {}; Ctrl-C ends it.",
                until(view, now())
            ));
            hold(seat.watch().await?, &service, signals).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn connect(&self, seat: &mut Seat, service: &ServiceRef) -> Result<Snapshot, Failure> {
        let order = Action::Connect {
            service: service.clone(),
        };
        seat.act(order).await?;
        let mut last = None;
        let limit = Duration::from_secs(self.timeout.unwrap_or(PEOPLE));
        let mut patience = Patience::new(Instant::now());
        let mut watch = seat.watch().await?;
        let mut told = false;
        let connected = watch.until(limit, |snapshot| {
            last = Some(snapshot.clone());
            let waits = waits_for_approval(snapshot, service);
            if waits && !std::mem::replace(&mut told, true) {
                let name = &service.service;
                note(&format!(
                    "{name} waits for approval; ask for it with: tidegate request {name}"
                ));
            }
            let is_over = patience.is_over(waits, Instant::now());
            match judge(snapshot, service) {
                ControlFlow::Continue(()) if is_over => {
                    ControlFlow::Break(Err(Problem::new(Code::TimedOut)))
                }
                judged => judged,
            }
        });
        let connected = connected.await;
        match (connected, last) {
            (Ok(()), Some(snapshot)) => Ok(snapshot),
            (Ok(()), None) => Err(Code::Internal.into()),
            (Err(failure), last) => {
                let suggest =
                    |last: Snapshot| which::suggest(failure.clone(), &last, &self.service);
                Err(last.map_or_else(|| failure.clone(), suggest))
            }
        }
    }
}

/// What machines may still take: the clock stands still while it waits for people.
struct Patience {
    left: Duration,
    at: Instant,
}

impl Patience {
    fn new(now: Instant) -> Self {
        Self {
            left: Duration::from_secs(PATIENCE),
            at: now,
        }
    }

    fn is_over(&mut self, waits_for_people: bool, now: Instant) -> bool {
        let spent = now.duration_since(std::mem::replace(&mut self.at, now));
        if !waits_for_people {
            self.left = self.left.saturating_sub(spent);
        }
        self.left.is_zero()
    }
}

fn waits_for_approval(snapshot: &Snapshot, service: &ServiceRef) -> bool {
    let view = snapshot.service(service);
    view.is_some_and(|view| {
        let step = ConnectStep::WaitingForApproval;
        matches!(&view.state, ServiceState::Connecting { step: at, .. } if *at == step)
    })
}

fn judge(snapshot: &Snapshot, service: &ServiceRef) -> ControlFlow<Result<(), Problem>> {
    let Some(org) = snapshot.org(&service.org) else {
        return ControlFlow::Break(Err(Problem::new(Code::NotJoined)));
    };
    if let Some(problem) = hub_problem(org) {
        return ControlFlow::Break(Err(problem));
    }
    match org.service(&service.service).map(|view| &view.state) {
        Some(ServiceState::Connected { .. }) => return ControlFlow::Break(Ok(())),
        Some(ServiceState::Failed(problem)) => {
            return ControlFlow::Break(Err(problem.clone()));
        }
        Some(ServiceState::Connecting { .. }) => return ControlFlow::Continue(()),
        Some(ServiceState::Idle | ServiceState::Disconnecting) | None => {}
    }
    let mut problems = org.problems.iter();
    let about_it =
        problems.find(|problem| problem.facts.service.as_ref() == Some(&service.service));
    match (&org.account, about_it) {
        (_, Some(problem)) => ControlFlow::Break(Err(problem.clone())),
        (AccountView::SigningIn(_) | AccountView::SignedIn { .. }, None) => {
            ControlFlow::Continue(())
        }
        (AccountView::SignedOut { .. }, None)
            if snapshot.problems_of(&service.org).next().is_none() =>
        {
            ControlFlow::Continue(())
        }
        (AccountView::SignedOut { .. }, None) => {
            ControlFlow::Break(Err(sign_in_problem(snapshot, &service.org)))
        }
    }
}

/// Why the hub is away, once it has been for longer than a moment. The agent goes on trying; a script wants to know.
fn hub_problem(org: &OrgSnapshot) -> Option<Problem> {
    let HubState::Away { since } = org.hub else {
        return None;
    };
    // Waiting sets no clock right.
    let clock = |problem: &&Problem| problem.code == Code::ClockOff;
    if let Some(problem) = org.problems.iter().rfind(clock) {
        return Some(problem.clone());
    }
    if since.until(now()) < AWAY_LIMIT {
        return None;
    }
    let about_the_way = |problem: &&Problem| problem.code.actor() == Actor::Network;
    let known = org.problems.iter().rfind(about_the_way);
    Some(known.cloned().unwrap_or(Problem::new(Code::HubUnreachable)))
}

/// Until somebody presses Ctrl-C, or the connection ends by itself.
async fn hold(mut watch: Watch, service: &ServiceRef, mut signals: Signals) -> Result<(), Failure> {
    let mut warned = None;
    loop {
        let view = tokio::select! {
            signal = signals.next() => match signal {
                Signal::End => return Ok(()),
                Signal::Reload => continue,
            },
            snapshot = watch.next() => snapshot?.service(service).cloned(),
        };
        let grant = view.as_ref().and_then(|view| view.grant.as_ref());
        let due = grant.and_then(|grant| grant.warning);
        if let Some((grant, minutes)) = grant.zip(due)
            && due != warned
        {
            note(&ends_soon(service, grant, minutes));
        }
        warned = due;
        match view.map(|view| view.state) {
            Some(ServiceState::Failed(problem)) => return Err(problem.into()),
            Some(ServiceState::Idle) => return Ok(()),
            None => {
                let gone = Problem::new(Code::PolicyChanged);
                return Err(gone.service(&service.service).into());
            }
            Some(
                ServiceState::Connecting { .. }
                | ServiceState::Connected { .. }
                | ServiceState::Disconnecting,
            ) => {}
        }
    }
}

fn ends_soon(service: &ServiceRef, grant: &GrantHere, minutes: u8) -> String {
    let (name, id) = (&service.service, &grant.request);
    let next = match grant.follower {
        Follower::Asked => "more time was asked for and nobody has approved it yet".to_owned(),
        Follower::Nothing | Follower::Granted => {
            format!("ask for more: tidegate grant extend {id} --because REASON")
        }
    };
    format!("Access to {name} ends within {minutes} min; {next}")
}

/// Whether somebody waits for it to be connected.
fn is_wanted(snapshot: &Snapshot, service: &ServiceRef) -> bool {
    let view = snapshot.service(service);
    view.is_some_and(|view| matches!(view.state, ServiceState::Connecting { .. }))
}

/// A wish that nobody waits for any more must not come true in an hour, when somebody signs in.
async fn withdraw(seat: &mut Seat, service: &ServiceRef) {
    let Ok(now) = seat.look(false).await else {
        return;
    };
    if is_wanted(&now, service) {
        let order = Action::Disconnect {
            service: service.clone(),
        };
        // Best effort: what is said is why it did not connect.
        let _ = seat.act(order).await;
    }
}

/// Closes what was opened for a program.
async fn close(seat: &mut Seat, service: &ServiceRef) -> Result<(), Failure> {
    let order = Action::Disconnect {
        service: service.clone(),
    };
    seat.act(order).await?;
    let closed = |snapshot: &Snapshot| {
        if is_open(snapshot, service) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Ok(()))
        }
    };
    seat.watch().await?.until(CLOSE_LIMIT, closed).await
}

fn lines(view: &ServiceView) -> String {
    let shown = [Form::Url, Form::Psql, Form::Sqlalchemy].into_iter();
    let lines = shown.filter_map(|form| {
        let line = view.connection.get(form)?;
        Some(format!("{:<11} {line}", form.name()))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How long a connected service stays so, in words.
fn until(view: &ServiceView, now: UnixTime) -> String {
    let unused = view.grant.as_ref().filter(|grant| grant.until.is_none());
    match (&view.state, unused, &view.grant) {
        (_, Some(grant), _) => format!("for {} from the first use", span::text(grant.seconds)),
        (ServiceState::Connected { until, .. }, None, Some(_)) => {
            format!("until the grant ends ({} left)", left(*until, now))
        }
        (ServiceState::Connected { until, .. }, None, None) => {
            format!("until the session ends ({} left)", left(*until, now))
        }
        _ => "until it ends".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_take_a_day_and_machines_may_not() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(start);

        assert!(!patience.is_over(false, after(300)));
        assert!(!patience.is_over(true, after(80_000)));
        assert!(!patience.is_over(false, after(80_029)));
        assert!(patience.is_over(false, after(80_030)));
    }
}
