//! `tidegate login`: signs in with the system browser, or with a code for the browser of another computer.
//! Without a running agent the session stays in the keyring for the next verb; it opens nothing by itself.

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{AccountView, Action, OrgName, Problem, Snapshot};
use tidegate_proto::problem::Code;

use super::report::Done;
use super::seat::{Seat, SeatArgs, sign_in_problem};
use crate::failure::Failure;
use crate::out::OutArgs;

/// The browser has five minutes; a little more for what comes before and after.
const LIMIT: Duration = Duration::from_secs(330);
/// Codes are good for fifteen minutes at most.
const CODE_LIMIT: Duration = Duration::from_secs(930);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate login                  opens your browser
  tidegate login --no-browser     prints the address to visit instead
  tidegate login --device-code    prints a code to type on another computer, where your organisation allows it
  tidegate login acme --timeout 60")]
pub(crate) struct Login {
    /// The organisation; may be left out where there is only one.
    org: Option<OrgName>,
    /// Give up after so many seconds; unless said otherwise, when nobody can answer any more.
    #[arg(long)]
    timeout: Option<u64>,
    /// Print a code to type into the browser of another computer. Only services whose rules name such a sign-in let it in.
    #[arg(long)]
    device_code: bool,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Login {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let signed_in = self.login(&mut seat).await;
        seat.leave().await;
        let (org, name) = signed_in?;
        let done = Done {
            done: "signed_in".into(),
            org: Some(org.to_string()),
            person: Some(name.clone()),
            ..Done::default()
        };
        self.out.answer(&done, || format!("Signed in as {name}."))
    }

    async fn login(&self, seat: &mut Seat) -> Result<(OrgName, String), Failure> {
        let org = seat.look(false).await?.find_org(self.org.as_ref())?;
        let (way, limit) = self.way(&org);
        seat.act(way).await?;
        let limit = self.timeout.map_or(limit, Duration::from_secs);
        let mut watch = seat.watch().await?;
        let signed_in = watch.until(limit, judge(&org)).await;
        if signed_in.is_err() {
            // Whoever gave up here does not want a page to be waited for elsewhere; what has ended already does not mind.
            seat.act(Action::CancelSignIn { org: org.clone() }).await?;
        }
        Ok((org, signed_in?))
    }
}

impl Login {
    fn way(&self, org: &OrgName) -> (Action, Duration) {
        let org = org.clone();
        if self.device_code {
            (Action::SignInWithCode { org }, CODE_LIMIT)
        } else {
            (Action::SignIn { org }, LIMIT)
        }
    }
}

/// Signed out at first only means that nothing has begun yet, unless a problem says otherwise.
fn judge(org: &OrgName) -> impl FnMut(&Snapshot) -> ControlFlow<Result<String, Problem>> + '_ {
    let mut begun = false;
    move |snapshot| {
        let Some(view) = snapshot.org(org) else {
            return ControlFlow::Break(Err(Problem::new(Code::NotJoined)));
        };
        match &view.account {
            AccountView::SignedIn {
                name, again: None, ..
            } => {
                let about_it = |one: &&Problem| {
                    one.code.number() / 1000 == 3 && one.code != Code::BrowserDidNotOpen
                };
                let why = snapshot.problems_of(org).filter(about_it).last();
                // What stood goes on: that a new sign-in did not come through is said all the same.
                ControlFlow::Break(match why.filter(|_| begun) {
                    Some(why) => Err(why.clone()),
                    None => Ok(name.clone()),
                })
            }
            AccountView::SigningIn(_) | AccountView::SignedIn { .. } => {
                begun = true;
                ControlFlow::Continue(())
            }
            AccountView::SignedOut { .. }
                if !begun && snapshot.problems_of(org).next().is_none() =>
            {
                ControlFlow::Continue(())
            }
            AccountView::SignedOut { .. } => {
                ControlFlow::Break(Err(sign_in_problem(snapshot, org)))
            }
        }
    }
}
