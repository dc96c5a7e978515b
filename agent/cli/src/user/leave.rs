//! `tidegate leave`: forgets an organisation, its keys and this computer's enrolment there.
//! There is no way back without a new join link, so a person is asked first.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, OrgName, Snapshot};

use super::report::Done;
use super::seat::{Seat, SeatArgs};
use crate::failure::{Exit, Failure};
use crate::out::{OutArgs, asked};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate leave          the only organisation there is
  tidegate leave acme --yes")]
pub(crate) struct Leave {
    /// The organisation; may be left out where there is only one.
    org: Option<OrgName>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Leave {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let left = self.leave(&mut seat).await;
        seat.leave().await;
        let org = left?;
        let done = Done {
            done: "left".into(),
            org: Some(org.to_string()),
            ..Done::default()
        };
        let words = || format!("Left {org}. A new join link is needed to come back.");
        self.out.answer(&done, words)
    }

    async fn leave(&self, seat: &mut Seat) -> Result<OrgName, Failure> {
        let org = seat.look(false).await?.find_org(self.org.as_ref())?;
        self.confirm(&org)?;
        seat.act(Action::Leave { org: org.clone() }).await?;
        let is_gone = |snapshot: &Snapshot| match snapshot.org(&org) {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(Ok(())),
        };
        seat.watch().await?.until(LIMIT, is_gone).await?;
        Ok(org)
    }

    fn confirm(&self, org: &OrgName) -> Result<(), Failure> {
        let question = format!(
            "Leave {org}? Its connections end, and this computer needs a new join link to come back."
        );
        let agreed = self.yes || asked(&question).ok_or_else(nobody_to_ask)?;
        agreed.then_some(()).ok_or_else(not_done)
    }
}

fn nobody_to_ask() -> Failure {
    let title = "nobody can be asked whether that is meant";
    Failure::new(Exit::Usage, title, "there is no terminal here", "add --yes")
}

fn not_done() -> Failure {
    Failure::new(
        Exit::Usage,
        "nothing was done",
        "you did not say yes",
        "run this again when you mean it",
    )
}
