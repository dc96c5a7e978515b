//! `tidegate login`: signs in with the system browser.
//! Without a running agent the session stays in the keyring for the next verb; it opens nothing by itself.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, Action, Problem, Snapshot};

use crate::failure::Failure;
use crate::seat::{Seat, SeatArgs, sign_in_problem};

/// The browser has five minutes; a little more for what comes before and after.
const LIMIT: Duration = Duration::from_secs(330);

#[derive(clap::Args)]
pub(crate) struct Login {
    #[command(flatten)]
    seat: SeatArgs,
}

impl Login {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let name = login(&mut seat).await;
        seat.leave().await;
        println!("Signed in as {}.", name?);
        Ok(())
    }
}

async fn login(seat: &mut Seat) -> Result<String, Failure> {
    seat.act(Action::SignIn).await?;
    let signed_in = seat.watch().await?.until(LIMIT, judge()).await;
    if signed_in.is_err() {
        // Whoever gave up here does not want a page to be waited for elsewhere; what has ended already does not mind.
        seat.act(Action::CancelSignIn).await?;
    }
    signed_in
}

/// Signed out at first only means that nothing has begun yet, unless a problem says otherwise.
fn judge() -> impl FnMut(&Snapshot) -> ControlFlow<Result<String, Problem>> {
    let mut begun = false;
    move |snapshot| match &snapshot.account {
        AccountView::SignedIn { name, .. } => ControlFlow::Break(Ok(name.clone())),
        AccountView::SigningIn(_) => {
            begun = true;
            ControlFlow::Continue(())
        }
        AccountView::SignedOut { .. } if !begun && snapshot.problems.is_empty() => {
            ControlFlow::Continue(())
        }
        AccountView::SignedOut { .. } | AccountView::NotJoined | AccountView::Joining => {
            ControlFlow::Break(Err(sign_in_problem(snapshot)))
        }
    }
}
