//! `tidegate login`: signs in with the system browser, or with a code for the browser of another computer.
//! Without a running agent the session stays in the keyring for the next verb; it opens nothing by itself.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, Action, Problem, Snapshot};

use crate::failure::Failure;
use crate::seat::{Seat, SeatArgs, sign_in_problem};

/// The browser has five minutes; a little more for what comes before and after.
const LIMIT: Duration = Duration::from_secs(330);
/// Codes are good for fifteen minutes at most.
const CODE_LIMIT: Duration = Duration::from_secs(930);

#[derive(clap::Args)]
pub(crate) struct Login {
    #[command(flatten)]
    seat: SeatArgs,
    /// Print a code to type into the browser of another computer. Only services whose rules name such a sign-in let it in.
    #[arg(long)]
    device_code: bool,
}

impl Login {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let way = if self.device_code {
            Action::SignInWithCode
        } else {
            Action::SignIn
        };
        let name = login(&mut seat, way).await;
        seat.leave().await;
        println!("Signed in as {}.", name?);
        Ok(())
    }
}

async fn login(seat: &mut Seat, way: Action) -> Result<String, Failure> {
    let limit = if way == Action::SignIn {
        LIMIT
    } else {
        CODE_LIMIT
    };
    seat.act(way).await?;
    let signed_in = seat.watch().await?.until(limit, judge()).await;
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
