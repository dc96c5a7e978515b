//! What can go wrong for a person, as values with a stable code; `words` turns them into sentences.
//! A code never changes its meaning and is never used again; facts are already safe to show.

use crate::{names::ServiceName, text::Shown, time::UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;

mod shown;

pub use shown::{next_shown, shown};

/// Who must act to make a problem go away.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The other end: outlet, database, identity provider.
    Peer,
    Network,
    /// The person at this computer.
    ThisComputer,
    /// Whoever writes the policies.
    Policy,
    /// The authors of Tidegate.
    Us,
}

impl Actor {
    /// In words, as in `can be mended by: your administrator`.
    #[must_use]
    pub fn who(self) -> &'static str {
        match self {
            Self::Peer => "the other end",
            Self::Network => "your network",
            Self::ThisComputer => "you",
            Self::Policy => "your administrator",
            Self::Us => "the makers of Tidegate",
        }
    }
}

/// How loudly a problem is shown.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something ended as it was meant to.
    Info,
    /// Something is not as it should be, and goes on.
    Warning,
    /// Something that was asked for does not happen.
    Error,
}

/// Defines the codes: number, severity, who must act.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $severity:ident, $actor:ident;)*) => {
        /// A stable problem code, shown as `TG-1001`.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "u16", into = "u16")]
        #[repr(u16)]
        pub enum Code { $($(#[$doc])* $name = $number,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How loudly it is shown.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// Who must act.
            #[must_use]
            pub fn actor(self) -> Actor {
                match self { $(Self::$name => Actor::$actor,)* }
            }
        }
    };
}

codes! {
    // 1xxx: the way to the hub and the outlet.
    HubUnreachable = 1001, Error, Network;
    /// The hub answers, but no beacon has come for 15 seconds.
    AuthorityAway = 1002, Warning, Network;
    RelayRefused = 1003, Error, Peer;
    /// No outlet of the service is connected to the relay.
    OutletAbsent = 1004, Error, Peer;
    CircuitLost = 1005, Error, Network;
    /// This computer's clock is more than a minute off.
    ClockOff = 1006, Error, ThisComputer;
    /// The hub's root key is not the one in the join link.
    HubNotTrusted = 1007, Error, Policy;
    TimedOut = 1008, Error, Network;
    /// The outlet's key is not the one in the signed catalogue.
    OutletNotTrusted = 1009, Error, Policy;
    HubBusy = 1010, Error, Peer;
    HubStopping = 1011, Warning, Peer;
    /// What the org's root signed for the hub has ended; or this clock is far ahead, nobody here can tell.
    OrgNotRenewed = 1012, Error, Policy;

    // 2xxx: who may.
    /// Unknown or forbidden: nobody is told which.
    NotAvailable = 2001, Error, Policy;
    Revoked = 2002, Error, Policy;
    SessionExpired = 2003, Error, ThisComputer;
    PolicyChanged = 2004, Error, Policy;
    /// The one answer before an identity is verified.
    NotAdmitted = 2005, Error, ThisComputer;
    /// The provider named more groups than are read.
    TooManyGroups = 2006, Error, Policy;
    /// The outlet cannot write its record, so it lets nobody in.
    NotRecorded = 2007, Error, Peer;
    /// Nobody has written a policy that could allow anything.
    NoPolicy = 2008, Error, Policy;
    /// Not without an approval, and the person may ask for one.
    AskFirst = 2020, Error, ThisComputer;
    /// What was approved has been used up, or was not used in time.
    GrantOver = 2021, Error, ThisComputer;
    /// Somebody took back what was approved.
    GrantTakenBack = 2022, Error, ThisComputer;
    /// Read-only was approved, and nothing at the outlet would hold the person to it.
    GrantNotHeld = 2023, Error, Peer;
    /// A connection waits for people to decide.
    WaitingForApproval = 2024, Info, Policy;
    RequestDenied = 2025, Error, Policy;
    RequestWithdrawn = 2026, Info, ThisComputer;
    /// Nobody decided in time.
    RequestExpired = 2027, Error, Policy;
    /// A decision, a withdrawal, an end, on something that is not there, not open, or not this person's to decide.
    RequestNotOpen = 2028, Error, ThisComputer;
    /// The reason, or the length of time, cannot be taken.
    RequestUnfit = 2029, Error, ThisComputer;
    MayNotAsk = 2030, Error, Policy;
    /// Their own, or somebody else's to decide, or signed in with a code.
    MayNotApprove = 2031, Error, Policy;
    TooManyRequests = 2032, Error, ThisComputer;

    // 3xxx: sign-in.
    SignInNeeded = 3001, Warning, ThisComputer;
    SignInCancelled = 3002, Info, ThisComputer;
    SignInTimedOut = 3003, Error, ThisComputer;
    ProviderRefused = 3004, Error, Peer;
    SignInPortsTaken = 3005, Error, ThisComputer;
    WrongAccount = 3006, Error, ThisComputer;
    ProviderUnreachable = 3007, Error, Network;
    ProviderAnswerWrong = 3008, Error, Peer;
    BrowserDidNotOpen = 3009, Warning, ThisComputer;
    /// Its certificate is vouched for by nobody this computer knows.
    ProviderNotTrusted = 3010, Error, Network;
    SignInReplaced = 3011, Info, ThisComputer;
    /// `access_denied`: by the person on the page, or by the provider's rules.
    SignInDeclined = 3012, Error, Peer;
    SignInInterrupted = 3013, Info, ThisComputer;
    /// The refresh token is worth nothing any more: disabled, signed out elsewhere, or too old.
    SignedOutByProvider = 3014, Error, Peer;
    /// Signed out here; the provider could not be told.
    SignOutNotConfirmed = 3015, Warning, Network;
    SignInCodeExpired = 3016, Error, ThisComputer;
    SignInCodeNotOffered = 3017, Error, Policy;
    /// Signed in with a code, where the rules ask for a browser.
    BrowserSignInNeeded = 3018, Error, ThisComputer;

    // 4xxx: this device.
    JoinLinkBad = 4001, Error, ThisComputer;
    TicketUsed = 4002, Error, Policy;
    TicketExpired = 4003, Error, Policy;
    NotEnrolled = 4004, Error, Policy;
    KeyringLocked = 4005, Warning, ThisComputer;
    KeyringAbsent = 4006, Warning, ThisComputer;
    NotJoined = 4007, Warning, ThisComputer;
    AlreadyJoined = 4008, Error, ThisComputer;
    TicketForAnother = 4009, Error, Policy;
    /// An introduction that has run out, was declined, or never was.
    IntroductionOver = 4010, Error, ThisComputer;
    IntroductionElsewhere = 4011, Error, ThisComputer;
    /// The other device may not let devices in.
    IntroductionNotAllowed = 4012, Error, Policy;
    /// The nonce is not the one that was bound: somebody in between chose it.
    IntroductionForged = 4013, Error, Policy;
    /// Two orgs could be meant, and nothing is picked by chance.
    WhichOrg = 4014, Error, ThisComputer;
    /// The org is known here, and its key is not in this keyring: wiped, or the files came from another computer.
    KeyMissing = 4015, Error, ThisComputer;
    /// A device that was named and is none of the person's.
    ComputerNotListed = 4016, Error, ThisComputer;
    /// It is there, and does not answer.
    KeyringSilent = 4017, Warning, ThisComputer;
    /// This computer was enrolled and the key could not be kept: it goes with the process, and with it the enrolment.
    KeyOnlyInMemory = 4018, Warning, ThisComputer;
    OutletTicketUnfit = 4030, Error, Policy;
    /// One person's computers have an end, for those that others let in.
    TooManyDevices = 4031, Error, Policy;

    // 5xxx: the target behind the outlet.
    TargetClosed = 5001, Error, Peer;
    TargetLoginRefused = 5002, Error, Peer;
    TargetNotTrusted = 5003, Error, Peer;
    /// The program insists on something about TLS that the inlet cannot give.
    ClientTls = 5004, Error, ThisComputer;
    TargetSilent = 5005, Error, Peer;
    TargetSpeaksOtherwise = 5006, Error, Peer;
    TargetLoginMissing = 5007, Error, Peer;
    /// The program asks for something a portal does not carry.
    ClientAsksTooMuch = 5008, Error, ThisComputer;
    TooManyConnections = 5009, Error, ThisComputer;
    /// The database that the owner named is not there.
    DatabaseMissing = 5010, Error, Peer;
    /// The program named another database than the service's.
    DatabaseNotOffered = 5011, Error, ThisComputer;
    /// The outlet could not make the temporary role that a session would run under.
    RoleNotMade = 5012, Error, Peer;

    // 6xxx: this computer.
    PortTaken = 6001, Error, ThisComputer;
    ForeignProgram = 6002, Error, ThisComputer;
    ConfigWrong = 6003, Error, ThisComputer;
    KeyFileOpen = 6004, Error, ThisComputer;
    AgentNotRunning = 6005, Error, ThisComputer;
    DataDirUnusable = 6006, Error, ThisComputer;
    AlreadyRunning = 6007, Error, ThisComputer;
    BrowserAtInlet = 6008, Warning, ThisComputer;
    NoTray = 6009, Warning, ThisComputer;
    ClipboardFailed = 6010, Warning, ThisComputer;
    SettingsDamaged = 6011, Warning, ThisComputer;
    SettingsNotSaved = 6012, Warning, ThisComputer;
    LoginStartNotChanged = 6013, Warning, ThisComputer;
    /// The port is there, the Unix socket beside it is not.
    SocketFailed = 6014, Warning, ThisComputer;
    /// Asked for by the person, and spoken for: by another service of this computer, or by the system.
    PortNotFree = 6015, Error, ThisComputer;
    /// One org's file is damaged; the others are not.
    OrgUnreadable = 6016, Error, ThisComputer;
    PgServiceNotWritten = 6017, Warning, ThisComputer;

    // 7xxx: why something ended.
    DisconnectedByYou = 7001, Info, ThisComputer;
    RevokedByAdmin = 7002, Error, Policy;
    Expired = 7003, Warning, ThisComputer;
    OutletStopping = 7004, Warning, Peer;
    AppQuitting = 7005, Info, ThisComputer;
    ClosedByTarget = 7006, Info, Peer;
    KillSwitch = 7007, Error, Policy;
    SignedOut = 7008, Info, ThisComputer;
    ClosedByProgram = 7009, Info, ThisComputer;
    /// The outlet opened it, and the agent never showed that it heard so.
    NeverTakenUp = 7010, Warning, Network;
    /// The time that was approved is over.
    GrantEnded = 7020, Warning, ThisComputer;
    /// Who approved, who asked or an administrator ended it.
    GrantEndedByPeople = 7021, Error, ThisComputer;

    // 9xxx: our own mistakes.
    Internal = 9001, Error, Us;
    PeerBrokeProtocol = 9002, Error, Us;
    NotSupportedYet = 9003, Error, Us;
}

/// A number that is no code.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number is not a problem code")]
pub struct UnknownCode;

impl Code {
    /// Why secrets are kept in memory only.
    pub const NO_KEYRING: &[Self] = &[
        Self::KeyringLocked,
        Self::KeyringAbsent,
        Self::KeyringSilent,
    ];

    /// As it travels in REFUSED, RESET and NOTICE.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}

impl TryFrom<u16> for Code {
    type Error = UnknownCode;

    fn try_from(number: u16) -> Result<Self, UnknownCode> {
        let found = Self::ALL.binary_search_by_key(&number, |code| code.number());
        found.map(|at| Self::ALL[at]).map_err(|_| UnknownCode)
    }
}

impl From<Code> for u16 {
    fn from(code: Code) -> Self {
        code.number()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TG-{:04}", self.number())
    }
}

/// What is known about a problem. Everything is optional: the words must read well without.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The program that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Shown>,
    /// A file or directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixTime>,
    /// What the owner's policy chose to say, or what another system said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Shown>,
}

/// What a problem is about: two of the same are one problem, and the newer word about it counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// A file or directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Shown>,
}

impl From<&Problem> for About {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code,
            service: problem.facts.service.clone(),
            path: problem.facts.path.clone(),
        }
    }
}

impl About {
    /// Whether `problem` is about this.
    #[must_use]
    pub fn is(&self, problem: &Problem) -> bool {
        self.code == problem.code
            && self.service == problem.facts.service
            && self.path == problem.facts.path
    }
}

/// A problem a person may have to act on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    pub code: Code,
    #[serde(default)]
    pub facts: Facts,
    /// Set for what lasts and ends by itself: since when it has. `None` for what happened, or answers a click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixTime>,
}

impl Problem {
    /// A problem of which only the code is known.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            facts: Facts::default(),
            since: None,
        }
    }

    /// It lasts, and has since then.
    #[must_use]
    pub fn since(mut self, since: UnixTime) -> Self {
        self.since = Some(since);
        self
    }

    /// Names the service.
    #[must_use]
    pub fn service(mut self, service: &ServiceName) -> Self {
        self.facts.service = Some(service.clone());
        self
    }

    /// Names the program in the way and its process id.
    #[must_use]
    pub fn program(mut self, program: &str, pid: Option<u32>) -> Self {
        self.facts.program = Some(Shown::new(program));
        self.facts.pid = pid;
        self
    }

    /// Names a local port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.facts.port = Some(port);
        self
    }

    /// Names a host, or host and port.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.facts.host = Some(Shown::new(host));
        self
    }

    /// Names a file or directory.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.facts.path = Some(Shown::new(path));
        self
    }

    /// Says until when, or since when.
    #[must_use]
    pub fn until(mut self, until: UnixTime) -> Self {
        self.facts.until = Some(until);
        self
    }

    /// Adds what somebody else said, made safe to show.
    #[must_use]
    pub fn said(mut self, text: &str) -> Self {
        self.facts.said = Some(Shown::new(text));
        self
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_no_other_is() {
        assert!(
            Code::ALL
                .windows(2)
                .all(|two| two[0].number() < two[1].number())
        );
        for code in Code::ALL {
            assert_eq!(Code::try_from(code.number()), Ok(*code));
        }
        for number in [0, 1, 1000, 2000, 9999, u16::MAX] {
            assert_eq!(Code::try_from(number), Err(UnknownCode));
        }
        assert_eq!(Code::HubUnreachable.to_string(), "TG-1001");
    }

    #[test]
    fn a_problem_crosses_the_control_socket_unchanged() {
        let problem = Problem::new(Code::PortTaken)
            .port(15432)
            .program("post\u{202e}gres", Some(7));

        let json = serde_json::to_string(&problem).unwrap();

        assert_eq!(
            json,
            r#"{"code":6001,"facts":{"program":"post\\u{202e}gres","pid":7,"port":15432}}"#
        );
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }
}
