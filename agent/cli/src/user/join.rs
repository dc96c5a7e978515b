//! `tidegate join`: enrols this computer with a join link.
//! A link with a ticket holds a secret, and every program on a machine can read a command line: such a link is asked for,
//! or read from standard input, and is never taken as a word.

use std::io::{IsTerminal, Read};
use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{Action, OrgName, OrgSnapshot, Problem, Secret, Snapshot};
use tidegate_proto::problem::{Code, Severity};
use tidegate_proto::statement::JoinLink;
use zeroize::Zeroizing;

use super::report::Done;
use super::seat::{Seat, SeatArgs};
use crate::failure::{Exit, Failure};
use crate::out::{OutArgs, note};
use crate::terminal;

const LIMIT: Duration = Duration::from_secs(60);
/// Longest link that is read, in bytes.
const MAX_LINK: usize = 8 * 1024;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate join                       asks for the link that your administrator sent
  wl-paste | tidegate join            takes it from the clipboard (xclip -o, pbpaste)
  tidegate join 'tidegate://join?…'   only with the link of a second computer, which holds no secret")]
pub(crate) struct Join {
    /// A link without a ticket, as another computer of yours shows it; `-` reads any link from standard input.
    link: Option<String>,
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
    let mut told = false;
    let judge = |snapshot: &Snapshot| {
        let waits = snapshot.joining && has(snapshot, Code::KeyringSilent);
        if waits && !std::mem::replace(&mut told, true) {
            note(
                "Waiting for your keyring, which does not answer yet; Ctrl-C ends the wait, and the link is still good.",
            );
        }
        judge(snapshot, &org, own)
    };
    seat.watch().await?.until(LIMIT, judge).await
}

fn has(snapshot: &Snapshot, code: Code) -> bool {
    snapshot.problems.iter().any(|problem| problem.code == code)
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
    let not_kept = |code| own && Code::NO_KEYRING.contains(&code);
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

fn read(link: Option<String>) -> Result<Secret, Failure> {
    match link {
        Some(link) if link != "-" => shown_to_all(link),
        None if std::io::stdin().is_terminal() => typed(),
        Some(_) | None => piped(),
    }
}

/// A link on the command line.
fn shown_to_all(link: String) -> Result<Secret, Failure> {
    let parsed = JoinLink::parse(&link).map_err(|_| Code::JoinLinkBad)?;
    if parsed.ticket.is_none() {
        return Ok(Secret::from(link));
    }
    Err(Failure::new(
        Exit::Usage,
        "the link was not used",
        "Every program on this computer can read a command line, and this link holds a secret. It is still good.",
        "Run `tidegate join` and paste it there, or give it on standard input; then take it out of your shell's history.",
    ))
}

fn typed() -> Result<Secret, Failure> {
    let typed = terminal::ask("Join link (not shown): ", MAX_LINK).ok_or_else(no_link)?;
    text(&typed)
}

fn piped() -> Result<Secret, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINK));
    let read = std::io::stdin()
        .take(MAX_LINK as u64)
        .read_to_end(&mut bytes);
    read.map_err(|error| Failure::unusable("the link", &error, "a join link"))?;
    text(&bytes)
}

fn text(bytes: &[u8]) -> Result<Secret, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Code::JoinLinkBad)?;
    match text.trim() {
        "" => Err(no_link()),
        link => Ok(Secret::from(link.to_owned())),
    }
}

fn no_link() -> Failure {
    Failure::new(
        Exit::Usage,
        "there is no join link",
        "Nothing came on standard input, and nobody can be asked here.",
        "Run `tidegate join` in a terminal and paste the link, or pipe it in: wl-paste | tidegate join",
    )
}
