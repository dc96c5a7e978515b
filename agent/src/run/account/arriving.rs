//! From the provider's yes to rights: the first time, once more while somebody is signed in, and too late.
//! A newcomer would drop a sign-in that comes too late: the keyring has it already, so it is taken, or forgotten there.

use std::sync::Arc;

use tidegate_proto::problem::{Code, Problem};

use super::step::{Next, failed, introduce};
use super::{Account, Effect, Facts, Rights};
use crate::devices::newcomer::{Introducing, LetIn};
use crate::hub::access::Access;
use crate::signin::tokens::Session;

impl Account {
    pub(super) fn signed_in(self, result: Result<Arc<Session>, Problem>, facts: &Facts) -> Next {
        let (view, leftover) = match self {
            Self::SigningIn { view, leftover, .. } => (view, leftover),
            Self::SignedIn {
                session, rights, ..
            } => return signed_in_again(session, rights, result),
            Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::Introducing { .. }
            | Self::Arriving { .. } => return self.late_sign_in(result.ok()),
        };
        let mut effects = Vec::new();
        let next = match result {
            Ok(session) => {
                effects.push(Effect::Better(&[Code::BrowserDidNotOpen]));
                if facts.is_enrolled {
                    effects.push(Effect::KeepHub(Arc::clone(&session)));
                    Self::Arriving {
                        session,
                        since: view.since,
                        rights: Rights::Awaited,
                    }
                } else {
                    effects.push(Effect::WelcomeTab);
                    introduce(session, facts, &mut effects)
                }
            }
            Err(why) => {
                effects.extend(leftover.then_some(Effect::Forget(Code::SignInCancelled)));
                effects.extend(failed(&why));
                Self::nobody()
            }
        };
        (next, effects)
    }

    /// A sign-in that ended after it had been replaced or cancelled. What it kept, the next start must not find.
    pub(super) fn late_sign_in(mut self, came_through: Option<Arc<Session>>) -> Next {
        let Some(late) = came_through else {
            return (self, Vec::new());
        };
        let effects = match &mut self {
            Self::SignedOut { .. } | Self::Locked { .. } | Self::Waking { .. } => {
                vec![Effect::Forget(Code::SignInCancelled)]
            }
            Self::SigningIn { leftover, .. } => {
                *leftover = true;
                Vec::new()
            }
            // It was too late to be cancelled: the keyring has it already, and refreshing the one before would end both.
            Self::SignedIn { session, .. } if session.claims.subject == late.claims.subject => {
                *session = Arc::clone(&late);
                vec![Effect::StopHub, Effect::KeepHub(late)]
            }
            // These have kept their own session over it.
            Self::Introducing { .. } | Self::Arriving { .. } | Self::SignedIn { .. } => Vec::new(),
        };
        (self, effects)
    }

    pub(super) fn introducing(mut self, new: Introducing) -> Next {
        if let Self::Introducing { at, .. } = &mut self {
            *at = Some(new);
        }
        (self, Vec::new())
    }

    pub(super) fn let_in(self, result: Result<LetIn, Problem>) -> Next {
        let Self::Introducing { session, since, .. } = self else {
            return (self, Vec::new());
        };
        match result {
            Ok(let_in) => {
                let effects = vec![
                    Effect::Enrol(let_in, Arc::clone(&session)),
                    Effect::KeepHub(Arc::clone(&session)),
                ];
                let arriving = Self::Arriving {
                    session,
                    since,
                    rights: Rights::Awaited,
                };
                (arriving, effects)
            }
            Err(why) => {
                let effects = failed(&why);
                // Whoever only took too long need not sign in again.
                let unintroduced = (why.code == Code::IntroductionOver).then_some(session);
                (Self::SignedOut { why, unintroduced }, effects)
            }
        }
    }

    pub(super) fn granted(self, access: Arc<Access>) -> Next {
        let mut effects = Vec::new();
        let again = match self {
            Self::Arriving { .. } => {
                effects.push(Effect::WelcomeTab);
                None
            }
            Self::SignedIn { again, .. } => again,
            Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. } => return (self, effects),
        };
        effects.push(Effect::UseRights(Arc::clone(&access)));
        let signed_in = Self::SignedIn {
            session: Arc::clone(&access.session),
            rights: Rights::Held(access),
            again,
        };
        (signed_in, effects)
    }
}

/// The new session takes the place of the old one; what is open goes on under the rights there are until it has its own.
fn signed_in_again(
    session: Arc<Session>,
    rights: Rights,
    result: Result<Arc<Session>, Problem>,
) -> Next {
    let (session, effects) = match result {
        Ok(new) => {
            let effects = vec![
                Effect::Better(&[Code::BrowserDidNotOpen]),
                Effect::StopHub,
                Effect::KeepHub(Arc::clone(&new)),
                Effect::WelcomeTab,
            ];
            (new, effects)
        }
        Err(why) => (session, vec![Effect::Trouble(why)]),
    };
    let signed_in = Account::SignedIn {
        session,
        rights,
        again: None,
    };
    (signed_in, effects)
}
