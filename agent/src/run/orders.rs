//! What others send to the owner of an org's state, and to the household.
//! An order is answered when it is accepted or refused, not when its work is done: progress is in the snapshot.

use std::sync::Arc;

use tidegate_proto::api::devices::DeviceInfo;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::Problem;
use tokio::sync::oneshot;

use super::access::Asked;
use crate::Action;
use crate::devices::newcomer::{Introducing, LetIn};
use crate::join::Joined;
use crate::signin::flow::{Progress, SignedIn};
use crate::signin::tokens::Session;

/// Something that is to be done.
pub(crate) enum Order {
    /// A person asked for it.
    Act(Action, Answered),
    /// This device was enrolled anew in an org where it is already.
    Adopt(Box<Joined>, Answered),
}

/// Whoever gave the order hears once what became of it.
pub(crate) struct Answered(oneshot::Sender<Result<(), Problem>>);

impl Answered {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<(), Problem>>) {
        let (answer, heard) = oneshot::channel();
        (Self(answer), heard)
    }

    /// Nobody may be listening any more, which is fine.
    pub(super) fn give(self, result: Result<(), Problem>) {
        let _ = self.0.send(result);
    }
}

/// What a short-lived task of an owner comes back with.
pub(crate) struct TaskReport {
    /// Which attempt it was: one that was replaced has nothing more to say.
    pub(crate) attempt: u64,
    pub(crate) news: TaskNews,
}

pub(crate) enum TaskNews {
    Woken(Result<Woken, Problem>),
    Progress(Progress),
    SignedIn(Result<SignedIn, Problem>),
    /// The hub answered while nobody is signed in, or did not.
    Greeted(Result<(), Problem>),
    /// How far another device is with letting this one in.
    Introducing(Introducing),
    LetIn(Result<LetIn, Problem>),
    /// The person's devices, after something was done about them.
    Devices(Result<Vec<DeviceInfo>, Problem>),
    /// A step of an introduction that this device sponsors.
    Stepped {
        id: String,
        result: Result<(), Problem>,
    },
    /// What the hub answered about access.
    Access(Box<Asked>),
    /// The provider knows that the session is over, or may still take what was forgotten here.
    SaidGoodbye(Result<(), Problem>),
}

/// What an earlier run left in the keyring.
pub(crate) struct Woken {
    pub(crate) identity: Option<Arc<SigningKey>>,
    pub(crate) session: Option<Arc<Session>>,
    /// Nobody is signed in, but the keyring still has what a session left.
    pub(crate) leaves_something: bool,
}
