//! `tidegate request`: asking for access, and waiting for people if that is wanted.
//! A newcomer would wait for a new request: an identical one that waits already is the same one.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, OrgName, Problem, RequestAt, RequestShown, ServiceRef, Snapshot};
use tidegate_link::now;
use tidegate_proto::problem::Code;

use super::super::seat::{Seat, SeatArgs};
use super::super::which;
use super::{Answer, gone, not_open, pages, seconds};
use crate::failure::Failure;
use crate::out::OutArgs;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate request warehouse --for 2h --because \"INC-42 churn numbers\"
  tidegate request warehouse --because \"INC-42\" --wait   comes back when somebody has decided
  tidegate connect warehouse                             may run meanwhile: it waits, and goes on by itself

The time begins with the first use. Exit codes: 4 not to be asked for, denied or withdrawn, 7 nobody decided.")]
pub(crate) struct Request {
    /// The service: `warehouse`, or `acme/warehouse`.
    service: String,
    /// For how long, from the first use on; the usual time of the service if you do not say.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    seconds: Option<u64>,
    /// Why, in one line: whoever decides reads it, and it is kept on record.
    #[arg(long, value_name = "REASON")]
    because: String,
    /// Only to read.
    #[arg(long)]
    read_only: bool,
    /// Break-glass: at once, where the rules allow it; everybody who could have approved is told.
    #[arg(long)]
    emergency: bool,
    /// Wait until somebody has decided, for so many seconds at most.
    #[arg(long, num_args = 0..=1, default_missing_value = "86400", value_name = "SECONDS")]
    wait: Option<u64>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(in crate::user) out: OutArgs,
}

impl Request {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let asked = self.ask(&mut seat).await;
        seat.leave().await;
        let (org, request) = asked?;
        self.out.answer(&Answer::of(&org, [&request]), || {
            pages::asked(&request, now())
        })
    }

    async fn ask(&self, seat: &mut Seat) -> Result<(OrgName, RequestShown), Failure> {
        let snapshot = seat.look(true).await?;
        let service = which::service(&snapshot, &self.service)?;
        let action = Action::Ask {
            service: service.clone(),
            seconds: self.seconds,
            read_only: self.read_only,
            reason: self.because.clone(),
            emergency: self.emergency,
        };
        seat.act(action).await?;
        let asked = newest(&seat.look(false).await?, &service)?;
        let request = match self.wait {
            None => asked,
            Some(limit) => decided(seat, &service.org, &asked.id, limit).await?,
        };
        Ok((service.org, request))
    }
}

/// What was asked for last, here: an identical request that waits already is the same one.
fn newest(snapshot: &Snapshot, service: &ServiceRef) -> Result<RequestShown, Failure> {
    let org = snapshot.org(&service.org).ok_or_else(gone)?;
    let here = |request: &&RequestShown| request.here && request.service == service.service;
    let open = |request: &&RequestShown| {
        matches!(
            request.state,
            RequestAt::Waiting { .. } | RequestAt::Granted { .. }
        )
    };
    let mut own = org.requests.iter().filter(here).filter(open);
    let newest = own.by_ref().max_by_key(|request| request.asked);
    newest.cloned().ok_or_else(not_open)
}

/// Waits for people.
async fn decided(
    seat: &Seat,
    org: &OrgName,
    id: &str,
    limit: u64,
) -> Result<RequestShown, Failure> {
    let judge = |snapshot: &Snapshot| {
        let request = snapshot
            .org(org)
            .and_then(|org| org.requests.iter().find(|one| one.id == id));
        let Some(request) = request else {
            return ControlFlow::Break(Err(Problem::new(Code::RequestNotOpen)));
        };
        let ended = |code| Problem::new(code).service(&request.service);
        ControlFlow::Break(match &request.state {
            RequestAt::Waiting { .. } => return ControlFlow::Continue(()),
            RequestAt::Granted { .. } => Ok(request.clone()),
            RequestAt::Denied { because, .. } => Err(ended(Code::RequestDenied).said(because)),
            RequestAt::Withdrawn => Err(ended(Code::RequestWithdrawn)),
            RequestAt::Expired => Err(ended(Code::RequestExpired)),
            RequestAt::TakenBack { .. } => Err(ended(Code::GrantTakenBack)),
            RequestAt::Over { .. } => Err(ended(Code::GrantOver)),
        })
    };
    let limit = Duration::from_secs(limit);
    seat.watch().await?.until(limit, judge).await
}
