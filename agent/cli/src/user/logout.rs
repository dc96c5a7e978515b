//! `tidegate logout`: ends what is open and forgets the session; this computer stays enrolled.
//! It returns when the account is signed out, not when the wish was heard.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, Action, OrgName, Snapshot};

use super::report::Done;
use super::seat::{Seat, SeatArgs};
use crate::failure::Failure;
use crate::out::OutArgs;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate logout         ends every connection, too
  tidegate logout acme    where there are several organisations")]
pub(crate) struct Logout {
    /// The organisation; may be left out where there is only one.
    org: Option<OrgName>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Logout {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let out = self.logout(&mut seat).await;
        seat.leave().await;
        let org = out?;
        let done = Done {
            done: "signed_out".into(),
            org: Some(org.to_string()),
            ..Done::default()
        };
        self.out.answer(&done, || format!("Signed out of {org}."))
    }

    async fn logout(&self, seat: &mut Seat) -> Result<OrgName, Failure> {
        let org = seat.look(false).await?.find_org(self.org.as_ref())?;
        seat.act(Action::SignOut { org: org.clone() }).await?;
        let is_out = |snapshot: &Snapshot| match snapshot.org(&org).map(|org| &org.account) {
            Some(AccountView::SignedOut { .. }) | None => ControlFlow::Break(Ok(())),
            Some(_) => ControlFlow::Continue(()),
        };
        seat.watch().await?.until(LIMIT, is_out).await?;
        Ok(org)
    }
}
