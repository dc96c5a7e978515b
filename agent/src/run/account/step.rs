//! One match over what happens, and for each input one over what is: a new state or input breaks the build in here.
//! A newcomer would answer a report without asking what the account is by now: it may be somebody else's.

use std::sync::Arc;

use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::time::UnixTime;

use super::{Account, Again, Effect, Facts, Input, Rights, SignInWay};
use crate::run::orders::Woken;
use crate::signin::flow::Progress;
use crate::signin::tokens::Session;
use crate::snapshot::{SignIn, SignInStep};

/// What a keyring that opened makes obsolete.
const ABOUT_KEYS: &[Code] = &[
    Code::KeyringLocked,
    Code::KeyringAbsent,
    Code::KeyringSilent,
    Code::KeyFileOpen,
    Code::NotEnrolled,
    Code::KeyMissing,
];

pub(in crate::run) type Next = (Account, Vec<Effect>);

impl Account {
    /// What becomes of it, and what is to be done.
    pub(in crate::run) fn step(self, input: Input, facts: &Facts) -> Next {
        match input {
            Input::Wake => self.wake(None, facts),
            Input::SignIn(way) => self.sign_in(way, facts),
            Input::Cancel => self.cancel(),
            Input::SignOut => self.end(Problem::new(Code::SignedOut), false),
            Input::Adopt => (
                Self::nobody(),
                self.end(Problem::new(Code::SignedOut), false).1,
            ),
            Input::LookAgain => self.look_again(facts),
            Input::Woken(attempt, result) if self.attempt() == Some(attempt) => {
                self.woken(result, facts)
            }
            Input::Progress(attempt, progress) if self.attempt() == Some(attempt) => {
                self.progress(progress)
            }
            Input::SignedIn(attempt, result) if self.attempt() == Some(attempt) => {
                self.signed_in(result, facts)
            }
            Input::SignedIn(_, result) => self.late_sign_in(result.ok()),
            Input::Introducing(attempt, at) if self.attempt() == Some(attempt) => {
                self.introducing(at)
            }
            Input::LetIn(attempt, result) if self.attempt() == Some(attempt) => self.let_in(result),
            // The last words of an attempt that was given up.
            Input::Woken(..) | Input::Progress(..) | Input::Introducing(..) | Input::LetIn(..) => {
                (self, Vec::new())
            }
            Input::Granted(access) => self.granted(access),
            Input::Withheld(why) => self.with_rights(Rights::Withheld(why)),
            Input::HubAway => self.hub_away(facts.now),
            Input::Ended(why) => self.ended(why),
        }
    }

    fn wake(self, then_sign_in: Option<SignInWay>, facts: &Facts) -> Next {
        let attempt = facts.attempt;
        let waking = Self::Waking {
            attempt,
            then_sign_in,
        };
        (waking, vec![Effect::ReadKeys(attempt)])
    }

    /// A retry replaces: there is never more than one sign-in or keeper at a time.
    fn sign_in(self, way: SignInWay, facts: &Facts) -> Next {
        let unintroduced = match self {
            // A code proves less than the session that stands: it does not take its place.
            Self::SignedIn { .. } if way == SignInWay::Code => return (self, Vec::new()),
            Self::SignedIn {
                session, rights, ..
            } => return sign_in_again(session, rights, facts),
            Self::Waking { attempt, .. } => {
                let then_sign_in = Some(way);
                let waking = Self::Waking {
                    attempt,
                    then_sign_in,
                };
                return (waking, Vec::new());
            }
            // The keyring was locked and may be open now.
            _ if !facts.has_key => return self.wake(Some(way), facts),
            Self::SignedOut { unintroduced, .. } => unintroduced,
            Self::Locked { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. }
            | Self::Arriving { .. } => None,
        };
        let mut effects = vec![Effect::StopHub, Effect::EndSignIn(Code::SignInReplaced)];
        let still_good = unintroduced.filter(|session| facts.now < session.claims.expires);
        let next = match still_good {
            Some(session) => introduce(session, facts, &mut effects),
            None => {
                effects.push(Effect::StartSignIn(facts.attempt, way));
                Self::SigningIn {
                    attempt: facts.attempt,
                    view: asking_hub(facts.now),
                    leftover: false,
                }
            }
        };
        (next, effects)
    }

    fn cancel(self) -> Next {
        match self {
            Self::SigningIn { leftover, .. } => {
                let mut effects = vec![
                    Effect::Unwant(None),
                    Effect::EndSignIn(Code::SignInCancelled),
                ];
                effects.extend(leftover.then_some(Effect::Forget(Code::SignInCancelled)));
                effects.push(Effect::GreetHub);
                (Self::nobody(), effects)
            }
            Self::Arriving { .. } | Self::Introducing { .. } => {
                self.end(Problem::new(Code::SignInCancelled), false)
            }
            Self::Waking { attempt, .. } => {
                let waking = Self::Waking {
                    attempt,
                    then_sign_in: None,
                };
                (waking, vec![Effect::Unwant(None)])
            }
            Self::SignedIn {
                session,
                rights,
                again: Some(_),
            } => {
                let again = None;
                let signed_in = Self::SignedIn {
                    session,
                    rights,
                    again,
                };
                (signed_in, vec![Effect::EndSignIn(Code::SignInCancelled)])
            }
            Self::SignedOut { .. } | Self::Locked { .. } | Self::SignedIn { again: None, .. } => {
                (self, Vec::new())
            }
        }
    }

    /// Whoever is just signing in once more goes on with that.
    fn ended(self, why: Problem) -> Next {
        let Self::SignedIn {
            again: Some(Again { attempt, view }),
            ..
        } = self
        else {
            return self.end(why, true);
        };
        let signing_in = Self::SigningIn {
            attempt,
            view,
            leftover: false,
        };
        let shown = true;
        (
            signing_in,
            vec![Effect::StopHub, Effect::End { why, shown }],
        )
    }

    fn end(self, why: Problem, shown: bool) -> Next {
        let next = match self {
            // Nothing ends here that would open the keyring.
            Self::Locked { .. } => self,
            _ if shown => Self::out(why.clone()),
            _ => Self::nobody(),
        };
        let effects = vec![
            Effect::StopHub,
            Effect::EndSignIn(why.code),
            Effect::End { why, shown },
            Effect::GreetHub,
        ];
        (next, effects)
    }

    /// Asks the keyring once more. Until it answers differently nothing changes, nothing is said and nobody is greeted.
    fn look_again(self, facts: &Facts) -> Next {
        match self {
            Self::Locked { why, asking: None } => {
                let asking = Some(facts.attempt);
                let effects = vec![Effect::ReadKeys(facts.attempt)];
                (Self::Locked { why, asking }, effects)
            }
            Self::Locked {
                asking: Some(_), ..
            }
            | Self::SignedOut { .. }
            | Self::Waking { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. }
            | Self::Arriving { .. }
            | Self::SignedIn { .. } => (self, Vec::new()),
        }
    }

    fn woken(self, result: Result<Woken, Problem>, facts: &Facts) -> Next {
        let (then_sign_in, before) = match self {
            Self::Waking { then_sign_in, .. } => (then_sign_in, None),
            Self::Locked { why, .. } => (None, Some(why.code)),
            Self::SignedOut { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. }
            | Self::Arriving { .. }
            | Self::SignedIn { .. } => return (self, Vec::new()),
        };
        let woken = match result {
            Ok(woken) => woken,
            Err(why) if before == Some(why.code) => {
                return (Self::Locked { why, asking: None }, Vec::new());
            }
            Err(why) => {
                let effects = failed(&why);
                return (Self::Locked { why, asking: None }, effects);
            }
        };
        let mut effects = vec![Effect::Better(ABOUT_KEYS)];
        let Some(key) = woken.identity else {
            let why = Problem::new(Code::KeyMissing);
            effects.extend(failed(&why));
            return (Self::out(why), effects);
        };
        effects.push(Effect::TakeKey(key));
        if facts.signed_out {
            let leftovers = woken.leaves_something.then_some(Code::SignedOut);
            effects.extend(leftovers.map(Effect::Forget));
        }
        let session = woken.session.filter(|session| facts.now < session.ends());
        let next = match (session.filter(|_| !facts.signed_out), then_sign_in) {
            (Some(session), _) if facts.is_enrolled => {
                effects.push(Effect::KeepHub(Arc::clone(&session)));
                Self::SignedIn {
                    session,
                    rights: Rights::Awaited,
                    again: None,
                }
            }
            (Some(session), _) => introduce(session, facts, &mut effects),
            (None, Some(way)) => {
                let has_key = true;
                let (next, more) = Self::nobody().sign_in(way, &Facts { has_key, ..*facts });
                effects.extend(more);
                next
            }
            (None, None) => {
                effects.push(Effect::GreetHub);
                Self::nobody()
            }
        };
        (next, effects)
    }

    fn progress(mut self, progress: Progress) -> Next {
        let mut effects = Vec::new();
        let view = match &mut self {
            Self::SigningIn { view, .. } => Some(view),
            Self::SignedIn { again, .. } => again.as_mut().map(|again| &mut again.view),
            Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::Introducing { .. }
            | Self::Arriving { .. } => None,
        };
        if let Some(view) = view {
            match progress {
                Progress::Trouble(problem) => effects.push(Effect::Trouble(problem)),
                Progress::Step { step, url } => {
                    view.step = step;
                    view.url = url;
                    view.likely.clear();
                    view.code = None;
                }
                Progress::Quiet(likely) => view.likely = likely,
                Progress::Code(code) => {
                    view.step = SignInStep::WaitingForCode;
                    view.code = Some(code);
                }
            }
        }
        (self, effects)
    }

    fn with_rights(mut self, new: Rights) -> Next {
        match &mut self {
            Self::Arriving { rights, .. } | Self::SignedIn { rights, .. } => *rights = new,
            Self::SignedOut { .. }
            | Self::Locked { .. }
            | Self::Waking { .. }
            | Self::SigningIn { .. }
            | Self::Introducing { .. } => {}
        }
        (self, Vec::new())
    }

    /// Rights that have run out while the hub is away are taken back: whoever opens a portal then waits for new ones.
    fn hub_away(self, now: UnixTime) -> Next {
        match self.access().is_some_and(|access| !access.holds(now)) {
            true => self.with_rights(Rights::Awaited),
            false => (self, Vec::new()),
        }
    }
}

/// Starts a sign-in beside the session that stands.
fn sign_in_again(session: Arc<Session>, rights: Rights, facts: &Facts) -> Next {
    let again = Again {
        attempt: facts.attempt,
        view: asking_hub(facts.now),
    };
    let signed_in = Account::SignedIn {
        session,
        rights,
        again: Some(again),
    };
    let effects = vec![
        Effect::EndSignIn(Code::SignInReplaced),
        Effect::StartSignIn(facts.attempt, SignInWay::Browser),
    ];
    (signed_in, effects)
}

pub(super) fn introduce(
    session: Arc<Session>,
    facts: &Facts,
    effects: &mut Vec<Effect>,
) -> Account {
    effects.push(Effect::Introduce(facts.attempt, Arc::clone(&session)));
    Account::Introducing {
        attempt: facts.attempt,
        session,
        since: facts.now,
        at: None,
    }
}

/// What every way of not getting in has in common.
pub(super) fn failed(why: &Problem) -> Vec<Effect> {
    vec![
        Effect::Unwant(Some(why.clone())),
        Effect::Trouble(why.clone()),
        Effect::GreetHub,
    ]
}

fn asking_hub(since: UnixTime) -> SignIn {
    SignIn {
        step: SignInStep::AskingHub,
        url: None,
        since,
        likely: Vec::new(),
        code: None,
    }
}
