//! Whether somebody is signed in, and for how long.
//! The provider's word from the last renewal: whoever was disabled there since is out within one credential's life.

use tidegate_proto::problem::{Code, Problem};

use super::Check;
use crate::clock::Clock;
use crate::{AccountView, OrgSnapshot, Snapshot};

const NAME: &str = "account";
/// From how many seconds before its end a session is worth a word.
const SOON: u64 = 900;

pub(super) fn check(snapshot: &Snapshot, org: &OrgSnapshot) -> Check {
    let now = Clock::system().now();
    match &org.account {
        AccountView::SignedIn { name, until, .. } if now.until(*until) > SOON => {
            Check::ok(NAME, &format!("{name} is signed in."))
        }
        AccountView::SignedIn { name, until, .. } => Check::warn(
            NAME,
            &format!(
                "The session of {name} ends in {} min.",
                now.until(*until) / 60
            ),
            "Sign in again when it suits you: `tidegate login`; what is connected goes on.",
        ),
        AccountView::SigningIn(_) => Check::warn(
            NAME,
            "A sign-in is under way.",
            "Go on in your browser, or cancel it.",
        ),
        AccountView::SignedOut { .. } => {
            let about_it = |problem: &&Problem| problem.code.number() / 1000 == 3;
            let known = snapshot.problems_of(&org.name).find(about_it);
            Check::problem(NAME, known.unwrap_or(&Code::SignInNeeded.into()))
        }
    }
}
