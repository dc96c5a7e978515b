//! `tidegate login`: signs in with the system browser, or with a code for the browser of another computer.
//! Without a running agent the session stays in the keyring for the next verb; it opens nothing by itself.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, Action, Code, OrgName, Problem, Snapshot};

use crate::failure::Failure;
use crate::seat::{Seat, SeatArgs, sign_in_problem};

/// The browser has five minutes; a little more for what comes before and after.
const LIMIT: Duration = Duration::from_secs(330);
/// Codes are good for fifteen minutes at most.
const CODE_LIMIT: Duration = Duration::from_secs(930);

#[derive(clap::Args)]
pub(crate) struct Login {
    /// The organisation; needed where this computer belongs to several.
    org: Option<String>,
    #[command(flatten)]
    seat: SeatArgs,
    /// Print a code to type into the browser of another computer. Only services whose rules name such a sign-in let it in.
    #[arg(long)]
    device_code: bool,
}

impl Login {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let name = self.login(&mut seat).await;
        seat.leave().await;
        println!("Signed in as {}.", name?);
        Ok(())
    }

    async fn login(&self, seat: &mut Seat) -> Result<String, Failure> {
        let named = self.org.as_ref().map(|name| name.parse::<OrgName>());
        let named = named.transpose().map_err(|_| Code::NotJoined)?;
        let org = seat.now().await?.find_org(named.as_ref())?;
        let (way, limit) = if self.device_code {
            (Action::SignInWithCode { org: org.clone() }, CODE_LIMIT)
        } else {
            (Action::SignIn { org: org.clone() }, LIMIT)
        };
        seat.act(way).await?;
        let signed_in = seat.watch().await?.until(limit, judge(&org)).await;
        if signed_in.is_err() {
            // Whoever gave up here does not want a page to be waited for elsewhere; what has ended already does not mind.
            seat.act(Action::CancelSignIn { org }).await?;
        }
        signed_in
    }
}

/// Signed out at first only means that nothing has begun yet, unless a problem says otherwise.
fn judge(org: &OrgName) -> impl FnMut(&Snapshot) -> ControlFlow<Result<String, Problem>> {
    let mut begun = false;
    move |snapshot| match snapshot.org(org).map(|org| &org.account) {
        Some(AccountView::SignedIn { name, .. }) => ControlFlow::Break(Ok(name.clone())),
        Some(AccountView::SigningIn(_)) => {
            begun = true;
            ControlFlow::Continue(())
        }
        Some(AccountView::SignedOut { .. })
            if !begun && snapshot.problems_of(org).next().is_none() =>
        {
            ControlFlow::Continue(())
        }
        Some(AccountView::SignedOut { .. }) | None => {
            ControlFlow::Break(Err(sign_in_problem(snapshot, org)))
        }
    }
}
