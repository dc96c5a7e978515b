//! `tidegate connect`: opens the inlet of a service, at the running agent or until Ctrl-C at one of its own.
//! It ends with success only when the outlet has answered: a port that merely exists is not a connection.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{
    AccountView, Action, Form, HubState, OrgSnapshot, Problem, ServiceRef, ServiceState,
    ServiceView, Snapshot,
};
use tidegate_link::now;
use tidegate_proto::problem::{Actor, Code};

use crate::failure::Failure;
use crate::seat::{Seat, SeatArgs, Watch, sign_in_problem};
use crate::signals::{Signal, Signals};

/// Seconds that the hub may be away before this verb gives up.
const AWAY_LIMIT: u64 = 15;

#[derive(clap::Args)]
pub(crate) struct Connect {
    /// The service's name; with several organisations `org/service` where it is not clear.
    service: String,
    /// Print the service as JSON.
    #[arg(long)]
    json: bool,
    /// Give up after so many seconds, sign-in included.
    #[arg(long, default_value_t = 330)]
    timeout: u64,
    #[command(flatten)]
    seat: SeatArgs,
}

impl Connect {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let ended = self.stay(&mut seat).await;
        seat.leave().await;
        ended
    }

    async fn stay(&self, seat: &mut Seat) -> Result<(), Failure> {
        // A name that cannot exist is answered like one that does not.
        let service = &seat.now().await?.find(&self.service)?;
        let signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be heard", &error))?;
        seat.act(Action::Connect {
            service: service.clone(),
        })
        .await?;
        let mut watch = seat.watch().await?;
        let limit = Duration::from_secs(self.timeout);
        let connected = watch
            .until(limit, |snapshot| judge(snapshot, service))
            .await?;
        print(&connected, self.json)?;
        if seat.is_own() {
            eprintln!(
                "Connected until {}; Ctrl-C ends it.",
                crate::status::until(&connected.state)
            );
            return hold(watch, service, signals).await;
        }
        Ok(())
    }
}

fn judge(snapshot: &Snapshot, service: &ServiceRef) -> ControlFlow<Result<ServiceView, Problem>> {
    let Some(org) = snapshot.org(&service.org) else {
        return ControlFlow::Break(Err(Problem::new(Code::NotJoined)));
    };
    if let Some(problem) = hub_problem(org) {
        return ControlFlow::Break(Err(problem));
    }
    match snapshot.service(service).map(|view| (&view.state, view)) {
        Some((ServiceState::Connected { .. }, view)) => {
            return ControlFlow::Break(Ok(view.clone()));
        }
        Some((ServiceState::Failed(problem), _)) => {
            return ControlFlow::Break(Err(problem.clone()));
        }
        Some((ServiceState::Connecting { .. }, _)) => return ControlFlow::Continue(()),
        Some((ServiceState::Idle | ServiceState::Disconnecting, _)) | None => {}
    }
    let about_it = org
        .problems
        .iter()
        .find(|problem| problem.facts.service.as_ref() == Some(&service.service));
    match (&org.account, about_it) {
        (_, Some(problem)) => ControlFlow::Break(Err(problem.clone())),
        (AccountView::SigningIn(_) | AccountView::SignedIn { .. }, None) => {
            ControlFlow::Continue(())
        }
        (AccountView::SignedOut { .. }, None)
            if snapshot.problems_of(&org.name).next().is_none() =>
        {
            ControlFlow::Continue(())
        }
        (AccountView::SignedOut { .. }, None) => {
            ControlFlow::Break(Err(sign_in_problem(snapshot, &org.name)))
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
    loop {
        tokio::select! {
            signal = signals.next() => if matches!(signal, Signal::End) { return Ok(()) },
            snapshot = watch.next() => match snapshot?.service(service).map(|view| view.state.clone()) {
                Some(ServiceState::Failed(problem)) => return Err(problem.into()),
                Some(ServiceState::Idle) => return Ok(()),
                None => return Err(Problem::new(Code::PolicyChanged).service(&service.service).into()),
                Some(ServiceState::Connecting { .. } | ServiceState::Connected { .. } | ServiceState::Disconnecting) => {}
            },
        }
    }
}

fn print(view: &ServiceView, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(view)
            .map_err(|error| Failure::internal("the answer cannot be printed", &error))?;
        println!("{text}");
        return Ok(());
    }
    for form in [Form::Url, Form::Psql, Form::Sqlalchemy] {
        if let Some(line) = view.connection.get(form) {
            println!("{:<11} {line}", form.name());
        }
    }
    Ok(())
}
