//! `tidegate requests`, `approve`, `deny`, `withdraw`, `grants`, `grant`: answering for others, and what became of it.
//! Each comes back when the hub has taken it: what was asked is then before whoever decides.

mod asking;
mod naming;
mod pages;
mod shapes;

use tidegate_agent::{Action, Decision, OrgName, OrgSnapshot, RequestAt, RequestShown, Snapshot};
use tidegate_link::now;
use tidegate_proto::problem::Code;
use tidegate_proto::span;

use super::seat::{Seat, SeatArgs};
use crate::failure::Failure;
use crate::out::OutArgs;
use crate::table::Screen;
pub(crate) use asking::Request;
pub(crate) use shapes::Requests as Answer;

/// A length of time such as `2h`, in seconds.
/// What begins with a minus comes here too: it is told what fits, and not how to get it past the parser.
fn seconds(text: &str) -> Result<u64, String> {
    span::parse(text).map_err(|_| "write a length of time such as 90m, 2h or 1h30m".to_owned())
}

/// What every verb here has.
#[derive(clap::Args)]
struct Common {
    /// The organisation; may be left out where there is only one.
    #[arg(long)]
    org: Option<OrgName>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate requests                  those that wait for you, and your own
  tidegate requests --json | jq -r '.requests[] | select(.yours) | .id'")]
pub(crate) struct Requests {
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate grants
  tidegate grants --json | jq '.requests[] | select(.here and .granted.in_use)'")]
pub(crate) struct Grants {
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate approve Xy3f              all of what was asked for
  tidegate approve Xy3f --for 30m    less of it")]
pub(crate) struct Approve {
    /// Which one: the first letters of its id, as `tidegate requests` shows it.
    #[arg(allow_hyphen_values = true)]
    id: String,
    /// For less time than was asked for.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    seconds: Option<u64>,
    /// Only to read.
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  tidegate deny Xy3f --because \"use the replica\"")]
pub(crate) struct Deny {
    /// Which one: the first letters of its id, as `tidegate requests` shows it.
    #[arg(allow_hyphen_values = true)]
    id: String,
    /// Why, in one line: whoever asked reads it.
    #[arg(long, value_name = "REASON")]
    because: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Withdraw {
    /// Which one: the first letters of its id, as `tidegate requests` shows it.
    #[arg(allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate grant revoke Xy3f --because \"the incident is over\"
  tidegate grant extend Xy3f --for 1h --because \"INC-42 goes on\"")]
pub(crate) struct Grant {
    #[command(subcommand)]
    verb: GrantVerb,
}

#[derive(clap::Subcommand)]
enum GrantVerb {
    /// End it at once, wherever it is used.
    Revoke {
        /// Which one: the first letters of its id, as `tidegate grants` shows it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Why, in one line.
        #[arg(long, value_name = "REASON", default_value = "")]
        because: String,
        #[command(flatten)]
        common: Common,
    },
    /// Ask for more time, by the same rules; what runs goes on.
    Extend {
        /// Which one: the first letters of its id, as `tidegate grants` shows it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// For how long after that.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
        seconds: Option<u64>,
        /// Why, in one line.
        #[arg(long, value_name = "REASON")]
        because: String,
        #[command(flatten)]
        common: Common,
    },
}

impl Requests {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let list = |org: &OrgSnapshot| org.requests.clone();
        let page = |requests: &[RequestShown]| pages::requests(requests, Screen::out(), now());
        self.common.list(list, page).await
    }
}

impl Grants {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let granted = |request: &&RequestShown| matches!(request.state, RequestAt::Granted { .. });
        let list = |org: &OrgSnapshot| org.requests.iter().filter(granted).cloned().collect();
        let page = |requests: &[RequestShown]| pages::grants(requests, Screen::out(), now());
        self.common.list(list, page).await
    }
}

impl Approve {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let decision = Decision::Approve {
            seconds: self.seconds,
            read_only: self.read_only,
        };
        let action = |org, request| Action::Decide {
            org,
            request,
            decision,
        };
        self.common.act(&self.id, action, pages::approved).await
    }
}

impl Deny {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let decision = Decision::Deny {
            because: self.because,
        };
        let action = |org, request| Action::Decide {
            org,
            request,
            decision,
        };
        let said = |_: &RequestShown| "Denied; whoever asked is told why.".to_owned();
        self.common.act(&self.id, action, said).await
    }
}

impl Withdraw {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let action = |org, request| Action::Withdraw { org, request };
        let said = |_: &RequestShown| "Withdrawn.".to_owned();
        self.common.act(&self.id, action, said).await
    }
}

impl Grant {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            GrantVerb::Revoke {
                id,
                because,
                common,
            } => {
                let action = |org, request| Action::TakeBack {
                    org,
                    request,
                    because,
                };
                let said = |_: &RequestShown| "Taken back; what was open is ended.".to_owned();
                common.act(&id, action, said).await
            }
            GrantVerb::Extend {
                id,
                seconds,
                because,
                common,
            } => common.extend(&id, seconds, because).await,
        }
    }
}

impl Common {
    /// Shows what there is, and tells whoever asked that it was seen.
    async fn list(
        &self,
        list: impl Fn(&OrgSnapshot) -> Vec<RequestShown>,
        page: impl Fn(&[RequestShown]) -> String,
    ) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let listed = async {
            let snapshot = self.fresh(&mut seat).await?;
            let org = self.org(&snapshot)?;
            let requests = list(org);
            let seen = Action::SawRequests {
                org: org.name.clone(),
                requests: requests.iter().map(|request| request.id.clone()).collect(),
                printed: true,
            };
            if !requests.is_empty() {
                seat.act(seen).await?;
            }
            Ok::<_, Failure>((org.name.clone(), requests))
        };
        let listed = listed.await;
        seat.leave().await;
        let (org, requests) = listed?;
        self.out
            .answer(&Answer::of(&org, &requests), || page(&requests))
    }

    /// Does something about one, and says what it is then.
    async fn act(
        &self,
        id: &str,
        action: impl FnOnce(OrgName, String) -> Action,
        said: impl FnOnce(&RequestShown) -> String,
    ) -> Result<(), Failure> {
        let (org, before) = self.done(id, action).await?;
        let mut all = org.requests.into_iter();
        // One that was denied is no longer shown to who denied it.
        let after = all.find(|one| one.id == before.id).unwrap_or(before);
        self.out
            .answer(&Answer::of(&org.name, [&after]), || said(&after))
    }

    /// More time is a request of its own, and that one is the answer.
    async fn extend(&self, id: &str, seconds: Option<u64>, reason: String) -> Result<(), Failure> {
        let action = |org, request| Action::Extend {
            org,
            request,
            seconds,
            reason,
        };
        let (org, before) = self.done(id, action).await?;
        let asked = org.requests.into_iter().filter(|one| {
            let extends = one.extends.as_ref();
            one.mine && extends == Some(&before.id)
        });
        let asked = asked.max_by_key(|one| one.asked).ok_or_else(not_open)?;
        self.out.answer(&Answer::of(&org.name, [&asked]), || {
            pages::asked(&asked, now())
        })
    }

    /// Does something about one; gives how things are then, and what the one was before.
    async fn done(
        &self,
        id: &str,
        action: impl FnOnce(OrgName, String) -> Action,
    ) -> Result<(OrgSnapshot, RequestShown), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let acted = async {
            let snapshot = self.fresh(&mut seat).await?;
            let org = self.org(&snapshot)?;
            let request = naming::meant(org, id)?.clone();
            seat.act(action(org.name.clone(), request.id.clone()))
                .await?;
            let after = seat.look(false).await?;
            Ok((self.org(&after)?.clone(), request))
        };
        let acted = acted.await;
        seat.leave().await;
        acted
    }

    /// What the hub says now.
    async fn fresh(&self, seat: &mut Seat) -> Result<Snapshot, Failure> {
        let snapshot = seat.look(true).await?;
        let org = self.org(&snapshot)?.name.clone();
        let look = Action::SawRequests {
            org,
            requests: Vec::new(),
            printed: false,
        };
        seat.act(look).await?;
        seat.look(false).await
    }

    fn org<'a>(&self, snapshot: &'a Snapshot) -> Result<&'a OrgSnapshot, Failure> {
        let name = snapshot.find_org(self.org.as_ref())?;
        snapshot.org(&name).ok_or_else(gone)
    }
}

fn not_open() -> Failure {
    Code::RequestNotOpen.into()
}

fn gone() -> Failure {
    Code::NotJoined.into()
}
