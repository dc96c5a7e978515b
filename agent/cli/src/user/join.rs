//! `tidegate join`: enrols this computer with a join link.
//! The link holds a secret until it is used: `-` reads it from standard input, where other programs cannot see it.

use std::io::Read;
use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, OrgName, OrgSnapshot, Problem, Secret, Snapshot};
use tidegate_proto::problem::{Code, Severity};
use tidegate_proto::statement::JoinLink;

use super::report::Done;
use super::seat::{Seat, SeatArgs};
use crate::failure::Failure;
use crate::out::OutArgs;

const LIMIT: Duration = Duration::from_secs(60);
/// Longest link that is read, in bytes.
const MAX_LINK: u64 = 8 * 1024;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate join 'tidegate://join?…'   with the link that your administrator sent; mind the quotes
  pbpaste | tidegate join -           without the link in the list of processes")]
pub(crate) struct Join {
    /// The link, `tidegate://join?…`, or `-` to read it from standard input.
    link: String,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

impl Join {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let link = read(self.link)?;
        let mut seat = Seat::take(&self.seat).await?;
        let joined = join(&mut seat, link).await;
        seat.leave().await;
        let (org, words) = joined?;
        let done = Done {
            done: "joined".into(),
            org: Some(org.to_string()),
            ..Done::default()
        };
        self.out.answer(&done, || words)
    }
}

async fn join(seat: &mut Seat, link: Secret) -> Result<(OrgName, String), Failure> {
    let org = JoinLink::parse(link.reveal())
        .map_err(|_| Code::JoinLinkBad)?
        .org;
    seat.act(Action::Join { link }).await?;
    let own = seat.is_own();
    let judge = |snapshot: &Snapshot| judge(snapshot, &org, own);
    seat.watch().await?.until(LIMIT, judge).await
}

/// A join begins with no problem on the table: an error there is its own. An agent of our own does not enrol a key that it cannot keep.
fn judge(
    snapshot: &Snapshot,
    org: &OrgName,
    own: bool,
) -> ControlFlow<Result<(OrgName, String), Problem>> {
    if snapshot.joining {
        return ControlFlow::Continue(());
    }
    let not_kept = |code| own && matches!(code, Code::KeyringAbsent | Code::KeyringLocked);
    let is_error =
        |problem: &&Problem| problem.code.severity() == Severity::Error || not_kept(problem.code);
    let failed = snapshot.problems.iter().rfind(is_error);
    ControlFlow::Break(match (failed, snapshot.org(org)) {
        (Some(problem), _) => Err(problem.clone()),
        (None, Some(org)) => Ok((org.name.clone(), words(org))),
        (None, None) => Err(Problem::new(Code::NotJoined)),
    })
}

fn words(org: &OrgSnapshot) -> String {
    let joined = format!("Joined {} at {}.", org.name, org.hub_address);
    match org.enrolling {
        // A link without a ticket: another computer of the same person vouches.
        Some(_) => format!(
            "{joined} Now sign in with `tidegate login {}`; another computer of yours lets this one in.",
            org.name
        ),
        None => joined,
    }
}

fn read(link: String) -> Result<Secret, Failure> {
    if link != "-" {
        return Ok(Secret::from(link));
    }
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_LINK).read_to_string(&mut text);
    read.map_err(|error| Failure::unusable("the link", &error, "a join link"))?;
    Ok(Secret::from(text))
}
