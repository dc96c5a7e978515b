//! Who the person is to us: what follows from each thing that happens, decided in one place without task, clock or network.
//! A newcomer would let a task change the account or its rights: a task reports, this decides, the owner carries out.

mod arriving;
mod step;

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;

use super::orders::Woken;
use crate::circuit::Admission;
use crate::devices::newcomer::{Introducing, LetIn};
use crate::hub::access::Access;
use crate::signin::flow::Progress;
use crate::signin::tokens::Session;
use crate::snapshot::SignIn;

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignInWay {
    Browser,
    /// A code for the browser of another computer.
    Code,
}

/// What somebody who is signed in may do right now.
pub(super) enum Rights {
    /// The hub is being asked.
    Awaited,
    /// They came, but nothing can be built on them: why.
    Withheld(Problem),
    Held(Arc<Access>),
}

/// Who the person is to us. What runs for it carries the number of its attempt: an older one has nothing more to say.
pub(super) enum Account {
    SignedOut {
        /// What is said to whoever wants in.
        why: Problem,
        /// Signed in, but nobody let this device in in time: the next try needs no browser.
        unintroduced: Option<Arc<Session>>,
    },
    /// The keyring did not give this device's key; `asking`: it is asked again.
    Locked { why: Problem, asking: Option<u64> },
    /// The keyring is being read; looks like signed out. Somebody may have asked to sign in meanwhile.
    Waking {
        attempt: u64,
        then_sign_in: Option<SignInWay>,
    },
    SigningIn {
        attempt: u64,
        view: SignIn,
        /// One that this one replaced has kept its session after all: it goes if this one does not come through.
        leftover: bool,
    },
    /// The session stands, but this device is not in: another one has to let it in.
    Introducing {
        attempt: u64,
        session: Arc<Session>,
        since: UnixTime,
        /// What was said last.
        at: Option<Introducing>,
    },
    /// The session stands, the first rights are still missing.
    Arriving {
        session: Arc<Session>,
        since: UnixTime,
        rights: Rights,
    },
    SignedIn {
        session: Arc<Session>,
        rights: Rights,
        /// The person signs in once more; everything goes on until then.
        again: Option<Again>,
    },
}

/// A sign-in whose session is to take the place of the one that stands.
pub(super) struct Again {
    pub(super) attempt: u64,
    pub(super) view: SignIn,
}

/// What the machine is told besides what happened.
pub(super) struct Facts {
    pub(super) now: UnixTime,
    /// A number that nothing had before.
    pub(super) attempt: u64,
    /// Whether this device's key has been read.
    pub(super) has_key: bool,
    /// Whether the hub knows this device.
    pub(super) is_enrolled: bool,
    /// Nobody is signed in here, whatever a keyring that was locked then still holds.
    pub(super) signed_out: bool,
}

/// What happens.
pub(super) enum Input {
    /// The agent starts.
    Wake,
    SignIn(SignInWay),
    Cancel,
    SignOut,
    /// This device is enrolled anew here, with another key.
    Adopt,
    /// The keyring may be open by now.
    LookAgain,
    Woken(u64, Result<Woken, Problem>),
    Progress(u64, Progress),
    SignedIn(u64, Result<Arc<Session>, Problem>),
    Introducing(u64, Introducing),
    LetIn(u64, Result<LetIn, Problem>),
    Granted(Arc<Access>),
    Withheld(Problem),
    HubAway,
    /// The hub or the provider says that it is over.
    Ended(Problem),
}

/// What is to be done about it, in this order.
pub(super) enum Effect {
    ReadKeys(u64),
    TakeKey(Arc<SigningKey>),
    StartSignIn(u64, SignInWay),
    /// The sign-in under way, or the tab of one that came through, is told that it is over.
    EndSignIn(Code),
    /// The tab hears that all is well.
    WelcomeTab,
    Introduce(u64, Arc<Session>),
    /// What the other device's yes was worth.
    Enrol(LetIn, Arc<Session>),
    KeepHub(Arc<Session>),
    StopHub,
    GreetHub,
    /// What comes with new rights: the catalogue, and whoever waited for it.
    UseRights(Arc<Access>),
    /// Connects that waited for sign-in do not wait any more.
    Unwant(Option<Problem>),
    /// Everything that needs a signed-in person ends; `shown`: nobody here asked for it, so it is said.
    End {
        why: Problem,
        shown: bool,
    },
    /// What an unwanted sign-in left in the keyring.
    Forget(Code),
    Trouble(Problem),
    Better(&'static [Code]),
}

impl Account {
    /// Nobody, for no special reason.
    pub(super) fn nobody() -> Self {
        Self::out(Problem::new(Code::SignInNeeded))
    }

    pub(super) fn out(why: Problem) -> Self {
        Self::SignedOut {
            why,
            unintroduced: None,
        }
    }

    /// What whoever opens a portal is told, or waits for. Nobody else decides that.
    pub(super) fn admission(&self) -> Admission {
        match self {
            Self::SignedOut { why, .. } | Self::Locked { why, .. } => Admission::None(why.clone()),
            Self::SigningIn { .. } | Self::Introducing { .. } => {
                Admission::None(Problem::new(Code::SignInNeeded))
            }
            Self::Waking { .. } => Admission::Pending,
            Self::Arriving { rights, .. } | Self::SignedIn { rights, .. } => match rights {
                Rights::Awaited => Admission::Pending,
                Rights::Withheld(why) => Admission::None(why.clone()),
                Rights::Held(access) => Admission::Ready(Arc::clone(access)),
            },
        }
    }

    /// The rights that are held, and with them a catalogue that is the hub's word and not a memory.
    pub(super) fn access(&self) -> Option<&Arc<Access>> {
        match self {
            Self::SignedIn {
                rights: Rights::Held(access),
                ..
            } => Some(access),
            Self::SignedIn {
                rights: Rights::Awaited | Rights::Withheld(_),
                ..
            }
            | Self::Arriving { .. }
            | Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. } => None,
        }
    }

    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::SignedIn { session, .. } | Self::Arriving { session, .. } => Some(session),
            Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. } => None,
        }
    }

    /// Which attempt is under way for it.
    pub(super) fn attempt(&self) -> Option<u64> {
        match self {
            Self::Locked { asking, .. } => *asking,
            Self::Waking { attempt, .. }
            | Self::SigningIn { attempt, .. }
            | Self::Introducing { attempt, .. } => Some(*attempt),
            Self::SignedIn { again, .. } => again.as_ref().map(|again| again.attempt),
            Self::SignedOut { .. } | Self::Arriving { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
