//! What others send to the owner of the state.
//! An order is answered when it is accepted or refused, not when its work is done: progress is in the snapshot.

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::Problem;
use tokio::sync::oneshot;

use crate::Action;
use crate::join::Joined;
use crate::signin::flow::{Progress, SignedIn};
use crate::signin::tokens::Session;

/// Something a person asked for.
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) answer: oneshot::Sender<Result<(), Problem>>,
}

/// What a short-lived task of the owner comes back with.
pub(crate) struct TaskReport {
    /// Which attempt it was: one that was replaced has nothing more to say.
    pub(crate) attempt: u64,
    pub(crate) news: TaskNews,
}

pub(crate) enum TaskNews {
    Joined(Result<Box<Joined>, Problem>),
    Woken(Result<Woken, Problem>),
    Progress(Progress),
    SignedIn(Result<SignedIn, Problem>),
    /// The hub answered while nobody is signed in, or did not.
    Greeted(Result<(), Problem>),
    /// A secret may still be in the keyring.
    NotForgotten(Problem),
}

/// What an earlier run left in the keyring.
pub(crate) struct Woken {
    pub(crate) identity: Option<Arc<SigningKey>>,
    pub(crate) session: Option<Arc<Session>>,
}
