//! `tidegate devices`: the computers of this person; one that asks is let in by this one, and a lost one is shut out.
//! Letting in is a comparison by a human: the same six words on both screens. There is no way here to say yes without having seen them.

mod shapes;

use std::ops::ControlFlow;
use std::time::Duration;

use tidegate_agent::{
    AccountView, Action, Code, DeviceRequest, DeviceRequestState, DeviceView, HubState, OrgName,
    OrgSnapshot, Snapshot,
};
use tidegate_link::now;

use super::ls::left;
use super::seat::{Seat, SeatArgs};
use crate::failure::{Exit, Failure};
use crate::out::{OutArgs, asked, note};
use crate::table::{Screen, Tone, cell, plain};
pub(crate) use shapes::Devices as Answer;

/// For the list of devices, and for those that ask, which the hub tells afterwards.
const TOLD: Duration = Duration::from_secs(10);
const ASKED: Duration = Duration::from_millis(1_500);
/// For the hub's word on what was asked.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate devices                   your computers, and new ones that ask to be let in
  tidegate devices link              what a new computer of yours gives to `tidegate join`
  tidegate devices approve           shows six words: say yes when the new computer shows the same ones
  tidegate devices revoke old-laptop

Administrators shut out anybody's device with `tidegate revoke`, and a lost laptop with `tidegate lost-laptop`.")]
pub(crate) struct Devices {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The organisation; may be left out where there is only one.
    #[arg(long, global = true)]
    org: Option<OrgName>,
    #[command(flatten)]
    seat: SeatArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print the link with which a new computer of yours joins; it holds no right.
    Link,
    /// Let a new computer of yours in, after comparing six words.
    Approve {
        /// Which one, by its id; may be left out where only one asks.
        request: Option<String>,
        /// The words that the new computer shows, in place of being asked.
        #[arg(long, num_args = 6, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Turn a computer away that asks to be let in.
    Decline {
        /// Which one, by its id; may be left out where only one asks.
        request: Option<String>,
    },
    /// Shut out a computer of yours, for good.
    Revoke {
        /// Its name, as `tidegate devices` shows it.
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

impl Devices {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut seat = Seat::take(&self.seat).await?;
        let done = self.act(&mut seat).await;
        seat.leave().await;
        let snapshot = done?;
        let org = snapshot.find_org(self.org.as_ref())?;
        let org = snapshot.org(&org).ok_or_else(gone)?;
        if matches!(self.verb, Some(Verb::Link)) {
            return self.out.answer(&Answer::of(org), || org.link.clone());
        }
        self.out
            .answer(&Answer::of(org), || page(org, Screen::out()))
    }

    /// Does what was asked, and gives what is true afterwards.
    async fn act(&self, seat: &mut Seat) -> Result<Snapshot, Failure> {
        let snapshot = seat.look(true).await?;
        let name = snapshot.find_org(self.org.as_ref())?;
        let snapshot = match &self.verb {
            Some(Verb::Link) => snapshot,
            _ => told(seat, &name).await?,
        };
        let org = snapshot.org(&name).ok_or_else(gone)?;
        match &self.verb {
            None | Some(Verb::Link) => return Ok(snapshot),
            Some(Verb::Approve { request, words }) => {
                let request = asking(org, request.as_deref())?.id.clone();
                approve(seat, &name, &request, words).await?;
            }
            Some(Verb::Decline { request }) => {
                let request = asking(org, request.as_deref())?.id.clone();
                let org = name.clone();
                seat.act(Action::DeclineDevice { org, request }).await?;
            }
            Some(Verb::Revoke { name: wanted, yes }) => {
                let device = find(org, wanted)?;
                confirm(device, *yes)?;
                revoke(seat, &name, &device.id).await?;
            }
        }
        seat.look(false).await
    }
}

/// What is known once the hub has told: an agent of our own hears of its devices a moment after it is in, and then of those that ask.
async fn told(seat: &Seat, org: &OrgName) -> Result<Snapshot, Failure> {
    let mut watch = seat.watch().await?;
    let listed = |snapshot: &Snapshot| match snapshot.org(org) {
        Some(org) if org.devices.is_empty() && may_be_told(org) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(Ok(())),
    };
    let asked = |snapshot: &Snapshot| match snapshot.org(org) {
        Some(org) if org.device_requests.is_empty() && may_be_told(org) => {
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(Ok(())),
    };
    // What is known when the time is over is the truth too.
    let _ = watch.until(TOLD, listed).await;
    if seat.is_own() {
        let _ = watch.until(ASKED, asked).await;
    }
    seat.look(false).await
}

fn may_be_told(org: &OrgSnapshot) -> bool {
    !matches!(org.hub, HubState::Away { .. }) && matches!(org.account, AccountView::SignedIn { .. })
}

/// Shows the words here, and says yes only when a person, or whoever read them there, does.
async fn approve(
    seat: &mut Seat,
    org: &OrgName,
    request: &str,
    seen: &[String],
) -> Result<(), Failure> {
    let compare = Action::CompareDevice {
        org: org.clone(),
        request: request.to_owned(),
    };
    seat.act(compare).await?;
    let shown = |snapshot: &Snapshot| match find_request(snapshot, org, request) {
        Some(DeviceRequest {
            state: DeviceRequestState::Words { words },
            ..
        }) => ControlFlow::Break(Ok(Some(words.clone()))),
        Some(_) => ControlFlow::Continue(()),
        None => ControlFlow::Break(Ok(None)),
    };
    let words = seat.watch().await?.until(LIMIT, shown).await?;
    let words = words.ok_or(Code::IntroductionOver)?;
    let same = if seen.is_empty() {
        note(&format!("\n    {}\n", words.join("  ")));
        asked("Does the new computer show these six words?").ok_or_else(nobody)?
    } else {
        seen == words
    };
    let (org, request) = (org.clone(), request.to_owned());
    if !same {
        seat.act(Action::DeclineDevice { org, request }).await?;
        return Err(differ());
    }
    let order = Action::ApproveDevice {
        org: org.clone(),
        request: request.clone(),
    };
    seat.act(order).await?;
    let is_over = |snapshot: &Snapshot| match find_request(snapshot, &org, &request) {
        Some(_) => ControlFlow::Continue(()),
        None => ControlFlow::Break(Ok(())),
    };
    seat.watch().await?.until(LIMIT, is_over).await
}

async fn revoke(seat: &mut Seat, org: &OrgName, device: &str) -> Result<(), Failure> {
    let order = Action::RevokeDevice {
        org: org.clone(),
        device: device.to_owned(),
    };
    seat.act(order).await?;
    let is_out = |snapshot: &Snapshot| {
        let mut devices = snapshot.org(org).into_iter().flat_map(|org| &org.devices);
        if devices.any(|known| known.id == device && !known.revoked) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Ok(()))
        }
    };
    seat.watch().await?.until(LIMIT, is_out).await
}

fn find_request<'a>(
    snapshot: &'a Snapshot,
    org: &OrgName,
    request: &str,
) -> Option<&'a DeviceRequest> {
    let org = snapshot.org(org)?;
    org.device_requests.iter().find(|known| known.id == request)
}

/// The request that was named, or the only one.
fn asking<'a>(org: &'a OrgSnapshot, named: Option<&str>) -> Result<&'a DeviceRequest, Failure> {
    let wanted = |request: &&DeviceRequest| named.is_none_or(|named| request.id == named);
    let found: Vec<_> = org.device_requests.iter().filter(wanted).collect();
    match found.as_slice() {
        [] => Err(Code::IntroductionOver.into()),
        [only] => Ok(only),
        several => {
            let ids: Vec<_> = several.iter().map(|request| request.id.as_str()).collect();
            Err(which(&ids))
        }
    }
}

/// By name, label or id; those that are shut out already are not meant.
fn find<'a>(org: &'a OrgSnapshot, wanted: &str) -> Result<&'a DeviceView, Failure> {
    let is_it = |device: &&DeviceView| {
        let named = [&device.name, &device.label, &device.id];
        !device.revoked && named.iter().any(|name| *name == wanted)
    };
    let found: Vec<_> = org.devices.iter().filter(is_it).collect();
    match found.as_slice() {
        [] => Err(Code::ComputerNotListed.into()),
        [only] => Ok(only),
        several => {
            let names: Vec<_> = several.iter().map(|device| device.name.as_str()).collect();
            Err(which(&names))
        }
    }
}

fn confirm(device: &DeviceView, yes: bool) -> Result<(), Failure> {
    let this = if device.this { " It is this one." } else { "" };
    let question = format!("Shut {} out, for good?{this}", device.name);
    let agreed = yes || asked(&question).ok_or_else(nobody)?;
    agreed.then_some(()).ok_or_else(|| {
        let next = "run this again when you mean it";
        Failure::new(Exit::Usage, "nothing was done", "you did not say yes", next)
    })
}

fn page(org: &OrgSnapshot, screen: Screen) -> String {
    let rows: Vec<_> = org.devices.iter().map(row).collect();
    let mut page = screen.table(&["DEVICE", "CALLED", "LAST IN", "STATE"], &rows);
    if page.is_empty() {
        page = "No device is known here yet: sign in first.\n".into();
    }
    if !org.devices.is_empty() {
        page += "\nTo add a computer: `tidegate devices link` here prints what `tidegate join` takes there.\n";
    }
    for request in &org.device_requests {
        page += &format!(
            "\nA new computer asks to be let in, for {} more: {}\n  `tidegate devices approve {}` compares six words first.\n",
            left(request.until, now()),
            request.label,
            request.id
        );
    }
    page
}

fn row(device: &DeviceView) -> Vec<crate::table::Cell> {
    let ago = |seen: tidegate_agent::UnixTime| format!("{} ago", left(now(), seen));
    let (state, tone) = match (device.revoked, device.this) {
        (true, _) => ("shut out", Tone::Bad),
        (false, true) => ("this one", Tone::Good),
        (false, false) => ("", Tone::Plain),
    };
    vec![
        plain(&device.name),
        plain(&device.label),
        plain(&device.seen.map(ago).unwrap_or_default()),
        cell(state, tone),
    ]
}

fn gone() -> Failure {
    Code::NotJoined.into()
}

fn nobody() -> Failure {
    let title = "nobody can be asked whether that is meant";
    let next = "run this in a terminal; `approve` takes the other screen's words with --words, `revoke` takes --yes";
    Failure::new(Exit::Usage, title, "there is no terminal here", next)
}

fn which(names: &[&str]) -> Failure {
    Failure::new(
        Exit::Usage,
        "more than one could be meant",
        format!("there are {}", names.join(" and ")),
        "name one of them",
    )
}

fn differ() -> Failure {
    Failure::new(
        Exit::Refused,
        "the computer was turned away",
        "the words differ, so somebody may be in between",
        "tell your administrator, and try again in another network",
    )
}
