//! What a person can do right here about each problem: one line a code, and where nothing can be done the reason stands in its place.
//! A newcomer would add a `_`: a code without a line here breaks the build, because a trouble without a way on is a dead end.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_agent::{OrgSnapshot, ServiceRef};
use tidegate_proto::problem::{Code, Problem};
use ts_rs::TS;

use crate::access::AskFor;
use crate::intent::{Copyable, Intent, Place};

/// The one thing that is done about it, and what it is called.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Button {
    #[ts(type = "string")]
    pub label: Cow<'static, str>,
    pub intent: Intent,
}

impl Button {
    pub fn new(label: impl Into<Cow<'static, str>>, intent: Intent) -> Self {
        Self {
            label: label.into(),
            intent,
        }
    }
}

/// What is done about a code.
#[derive(Clone, Copy)]
enum Way {
    /// Hub, keyring and disk are asked at once; about a service, it is connected.
    TryAgain,
    /// The service is connected.
    Connect(&'static str),
    /// In the browser; also while somebody is signed in.
    SignIn(&'static str),
    SignInWithCode,
    /// Opens the form that asks for access.
    Ask(&'static str),
    /// Opens the field for a join link.
    Join,
    Settings,
    /// The port that was free instead; where none is known, the settings.
    OtherPort,
    CopyAddress,
    CopyCommand,
    /// On the computer that asks to be let in: asks once more.
    AskAgainHere,
    /// Why there is no button.
    Nothing(&'static str),
}

const AGAIN: &str = "Try again";
const SIGN_IN: &str = "Sign in again";
const BROWSER: &str = "Sign in with the browser";
const CONNECT: &str = "Connect again";
const ASK: &str = "Ask for access";
const ASK_AGAIN: &str = "Ask again";

const BY_ITSELF: &str = "it goes on by itself";
const STOP: &str = "going on would be wrong";
const THE_RULES: &str = "others decide what the rules are";
const IN_THE_PROGRAM: &str = "what to change is in the program that knocked";
const IN_THE_LIST: &str = "what to do is in the list beside it";
const ENDED: &str = "it says that something ended as it was meant to";
const CHOOSE: &str = "it names no service, and each has its own button";
const NOBODYS: &str = "it is about no organisation that is joined";
const NOT_ASKED_FOR: &str = "the service cannot be asked for";
const NO_PATH: &str = "it names no file";

/// The button, or why there is none. `org`: the one it is about, as it is now.
///
/// # Errors
/// Why nothing can be done about it here.
pub fn button(org: Option<&OrgSnapshot>, problem: &Problem) -> Result<Button, &'static str> {
    let name = org.map(|org| org.name.clone());
    let service =
        org.and_then(|org| Some(ServiceRef::new(&org.name, problem.facts.service.as_ref()?)));
    let known = org.and_then(|org| org.service(problem.facts.service.as_ref()?));
    let connect = |label, service| Button::new(label, Intent::Connect { service });
    match way(problem.code) {
        Way::TryAgain => Ok(match service {
            Some(service) => connect(AGAIN, service),
            None => Button::new(AGAIN, Intent::TryAgain { org: name }),
        }),
        Way::Connect(label) => service.map(|of| connect(label, of)).ok_or(CHOOSE),
        Way::SignIn(label) => {
            let sign_in = |org| Button::new(label, Intent::SignIn { org });
            name.map(sign_in).ok_or(NOBODYS)
        }
        Way::SignInWithCode => {
            let with_code = |org| Button::new("Get a new code", Intent::SignInWithCode { org });
            name.map(with_code).ok_or(NOBODYS)
        }
        Way::AskAgainHere => match org {
            Some(org) if org.enrolling.is_some() => {
                let org = org.name.clone();
                Ok(Button::new(ASK_AGAIN, Intent::SignIn { org }))
            }
            _ => Err("the new computer asks again"),
        },
        Way::Ask(label) => {
            let service = known.ok_or(CHOOSE)?;
            service.askable.ok_or(NOT_ASKED_FOR)?;
            let what = AskFor::Service {
                service: service.name.to_string(),
            };
            let ask = |org| Button::new(label, Intent::AskFor { org, what });
            name.map(ask).ok_or(NOBODYS)
        }
        Way::Join => Ok(show("Join with a link…", Place::Join)),
        Way::Settings => Ok(show("Open settings", Place::Settings)),
        Way::OtherPort => Ok(other_port(service.zip(known.and_then(|of| of.other_port)))),
        Way::CopyAddress => {
            let copy = |org| {
                Button::new(
                    "Copy the address",
                    Intent::Copy {
                        what: Copyable::SignInUrl { org },
                    },
                )
            };
            name.map(copy).ok_or(NOBODYS)
        }
        Way::CopyCommand => {
            command(problem).ok_or(NO_PATH)?;
            let what = Copyable::Command {
                about: problem.into(),
            };
            Ok(Button::new("Copy the command", Intent::Copy { what }))
        }
        Way::Nothing(why) => Err(why),
    }
}

/// What a terminal is told about it, where the way on is a command.
pub fn command(problem: &Problem) -> Option<String> {
    match problem.code {
        Code::KeyFileOpen => {
            let path = problem.facts.path.as_ref()?.as_str();
            Some(format!("chmod go= '{}'", path.replace('\'', r"'\''")))
        }
        Code::PeerBrokeProtocol => Some("tidegate bundle".to_owned()),
        _ => None,
    }
}

fn show(label: &'static str, what: Place) -> Button {
    Button::new(label, Intent::Show { what })
}

fn other_port(free: Option<(ServiceRef, u16)>) -> Button {
    match free {
        Some((service, port)) => {
            let port_is = Intent::SetPort {
                service,
                port: Some(port),
            };
            Button::new(format!("Use port {port}"), port_is)
        }
        None => show("Open settings", Place::Settings),
    }
}

#[allow(clippy::too_many_lines)] // a table: one entry a code, nothing to follow
fn way(code: Code) -> Way {
    match code {
        Code::HubUnreachable
        | Code::RelayRefused
        | Code::OutletAbsent
        | Code::ClockOff
        | Code::TimedOut
        | Code::HubBusy
        | Code::HubStopping
        | Code::OrgNotRenewed
        | Code::KeyringLocked
        | Code::KeyringAbsent
        | Code::KeyringSilent
        | Code::KeyOnlyInMemory
        | Code::ConfigWrong
        | Code::AgentNotRunning
        | Code::DataDirUnusable
        | Code::AlreadyRunning
        | Code::Internal => Way::TryAgain,
        Code::NotRecorded
        | Code::NoPolicy
        | Code::NotAvailable
        | Code::TargetClosed
        | Code::RoleNotMade
        | Code::TargetLoginRefused
        | Code::TargetNotTrusted
        | Code::TargetSilent
        | Code::TargetSpeaksOtherwise
        | Code::TargetLoginMissing
        | Code::DatabaseMissing => Way::Connect(AGAIN),
        Code::CircuitLost
        | Code::NeverTakenUp
        | Code::DisconnectedByYou
        | Code::Expired
        | Code::OutletStopping
        | Code::AppQuitting
        | Code::ClosedByTarget => Way::Connect(CONNECT),
        Code::SignInNeeded => Way::SignIn("Sign in"),
        Code::SessionExpired
        | Code::NotAdmitted
        | Code::TooManyGroups
        | Code::SignInCancelled
        | Code::SignInTimedOut
        | Code::ProviderRefused
        | Code::WrongAccount
        | Code::SignInDeclined
        | Code::SignInInterrupted
        | Code::SignedOutByProvider
        | Code::SignedOut => Way::SignIn(SIGN_IN),
        Code::SignInPortsTaken
        | Code::ProviderUnreachable
        | Code::ProviderAnswerWrong
        | Code::ProviderNotTrusted => Way::SignIn(AGAIN),
        Code::SignInCodeNotOffered | Code::BrowserSignInNeeded | Code::MayNotApprove => {
            Way::SignIn(BROWSER)
        }
        Code::SignInCodeExpired => Way::SignInWithCode,
        Code::BrowserDidNotOpen => Way::CopyAddress,
        Code::AskFirst | Code::GrantNotHeld => Way::Ask(ASK),
        Code::GrantOver
        | Code::GrantTakenBack
        | Code::RequestDenied
        | Code::RequestWithdrawn
        | Code::RequestExpired
        | Code::GrantEnded
        | Code::GrantEndedByPeople => Way::Ask(ASK_AGAIN),
        Code::JoinLinkBad
        | Code::TicketUsed
        | Code::TicketExpired
        | Code::TicketForAnother
        | Code::NotEnrolled
        | Code::NotJoined
        | Code::KeyMissing => Way::Join,
        Code::IntroductionOver => Way::AskAgainHere,
        Code::AlreadyJoined
        | Code::ComputerNotListed
        | Code::TooManyDevices
        | Code::SettingsDamaged
        | Code::SettingsNotSaved
        | Code::LoginStartNotChanged
        | Code::PortNotFree => Way::Settings,
        Code::PortTaken => Way::OtherPort,
        Code::KeyFileOpen | Code::PeerBrokeProtocol => Way::CopyCommand,
        Code::AuthorityAway | Code::WaitingForApproval | Code::NoTray => Way::Nothing(BY_ITSELF),
        Code::HubNotTrusted
        | Code::OutletNotTrusted
        | Code::IntroductionForged
        | Code::ForeignProgram
        | Code::BrowserAtInlet => Way::Nothing(STOP),
        Code::Revoked
        | Code::RevokedByAdmin
        | Code::PolicyChanged
        | Code::MayNotAsk
        | Code::KillSwitch
        | Code::IntroductionNotAllowed
        | Code::OutletTicketUnfit => Way::Nothing(THE_RULES),
        Code::ClientTls
        | Code::ClientAsksTooMuch
        | Code::TooManyConnections
        | Code::DatabaseNotOffered => Way::Nothing(IN_THE_PROGRAM),
        Code::RequestNotOpen | Code::TooManyRequests | Code::ClipboardFailed => {
            Way::Nothing(IN_THE_LIST)
        }
        Code::SignInReplaced | Code::SignOutNotConfirmed | Code::ClosedByProgram => {
            Way::Nothing(ENDED)
        }
        Code::RequestUnfit => Way::Nothing("the form is still there"),
        Code::WhichOrg => Way::Nothing("only a command can be that unclear"),
        Code::IntroductionElsewhere => Way::Nothing("it goes on at another computer"),
        Code::SocketFailed => Way::Nothing("the port works, and the folder is named in agent.toml"),
        Code::OrgUnreadable => Way::Nothing("a file has to be brought back by hand"),
        Code::PgServiceNotWritten => Way::Nothing("the copy menu it came from has both"),
        Code::NotSupportedYet => Way::Nothing("only a newer version can do it"),
    }
}
