//! The account with an owner that only remembers: it finds two keepers, and a sign-in that nobody ends.
//! Time is a number that the test moves; no task runs and nothing is contacted.

use std::sync::Arc;

use tidegate_proto::identity::SigningKey;
use zeroize::Zeroizing;

use super::*;
use crate::signin::tokens::{Claims, Tokens};

pub(super) const MORNING: u64 = 1_000_000;
pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 24 * HOUR;
/// How long a session lasts here.
const LONGEST: u64 = 12 * HOUR;
/// How long rights last.
pub(super) const RIGHTS: u64 = 600;

pub(super) fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[5; 32]))
}

pub(super) fn session(from: UnixTime) -> Arc<Session> {
    let tokens = Tokens {
        id_token: Zeroizing::new("token".into()),
        refresh: None,
        claims: Claims {
            subject: "00uana".parse().unwrap(),
            name: "ana@example.org".into(),
            issued: from,
            expires: from.plus(HOUR),
            auth_time: from,
        },
    };
    Arc::new(Session::begin(&tokens, [7; 32], LONGEST))
}

pub(super) fn access(session: &Arc<Session>, now: UnixTime) -> Arc<Access> {
    Arc::new(Access {
        org: "acme".parse().unwrap(),
        credential: "credential".into(),
        credential_until: now.plus(RIGHTS),
        session: Arc::clone(session),
        identity: key(),
        catalogue: crate::hub::access::Catalogue::new(),
        askable: Vec::new(),
        chain: None,
        outdated: tokio_util::sync::CancellationToken::new(),
    })
}

pub(super) fn woken(session: Option<Arc<Session>>) -> Result<Woken, Problem> {
    Ok(Woken {
        identity: Some(key()),
        leaves_something: session.is_some(),
        session,
    })
}

pub(super) fn problem(code: Code) -> Problem {
    Problem::new(code)
}

/// An account, and what an owner would have running for it.
pub(super) struct Play {
    pub(super) account: Account,
    pub(super) now: UnixTime,
    pub(super) attempts: u64,
    pub(super) has_key: bool,
    pub(super) is_enrolled: bool,
    pub(super) signed_out: bool,
    pub(super) keeper: bool,
    pub(super) sign_in: bool,
    /// What was wanted since somebody looked.
    pub(super) did: Vec<&'static str>,
    pub(super) codes: Vec<Code>,
}

impl Play {
    pub(super) fn new() -> Self {
        Self {
            account: Account::nobody(),
            now: UnixTime(MORNING),
            attempts: 0,
            has_key: false,
            is_enrolled: true,
            signed_out: false,
            keeper: false,
            sign_in: false,
            did: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Started, with its key read and nobody signed in.
    pub(super) fn awake() -> Self {
        let mut play = Self::new();
        play.does(Input::Wake);
        let attempt = play.attempt();
        play.does(Input::Woken(attempt, woken(None)));
        play.look();
        play
    }

    pub(super) fn signed_in() -> Self {
        let mut play = Self::awake();
        play.comes_in();
        play.look();
        play
    }

    /// From click to rights.
    pub(super) fn comes_in(&mut self) {
        self.does(Input::SignIn(SignInWay::Browser));
        let (attempt, session) = (self.attempt(), session(self.now));
        self.does(Input::SignedIn(attempt, Ok(Arc::clone(&session))));
        self.does(Input::Granted(access(&session, self.now)));
    }

    pub(super) fn attempt(&self) -> u64 {
        self.account.attempt().expect("something is under way")
    }

    pub(super) fn does(&mut self, input: Input) {
        self.attempts += 1;
        let facts = Facts {
            now: self.now,
            attempt: self.attempts,
            has_key: self.has_key,
            is_enrolled: self.is_enrolled,
            signed_out: self.signed_out,
        };
        let account = std::mem::replace(&mut self.account, Account::nobody());
        let (account, effects) = account.step(input, &facts);
        self.account = account;
        for effect in effects {
            self.carry_out(effect);
        }
        let is_signing_in = matches!(
            self.account,
            Account::SigningIn { .. } | Account::SignedIn { again: Some(_), .. }
        );
        self.sign_in &= is_signing_in;
        assert_eq!(self.sign_in, is_signing_in, "{:?}", self.did);
        assert_eq!(
            self.keeper,
            self.account.session().is_some(),
            "{:?}",
            self.did
        );
    }

    fn carry_out(&mut self, effect: Effect) {
        let name = match effect {
            Effect::ReadKeys(_) => "read keys",
            Effect::TakeKey(_) => {
                self.has_key = true;
                "take key"
            }
            Effect::StartSignIn(..) => {
                assert!(!self.sign_in, "one at a time");
                self.sign_in = true;
                "start sign-in"
            }
            Effect::EndSignIn(code) => {
                self.sign_in = false;
                self.codes.push(code);
                "end sign-in"
            }
            Effect::WelcomeTab => "welcome tab",
            Effect::Introduce(..) => {
                self.signed_out = false;
                "introduce"
            }
            Effect::Enrol(..) => {
                self.is_enrolled = true;
                "enrol"
            }
            Effect::KeepHub(_) => {
                assert!(!self.keeper, "one at a time");
                self.keeper = true;
                self.signed_out = false;
                "keep hub"
            }
            Effect::StopHub => {
                self.keeper = false;
                "stop hub"
            }
            Effect::GreetHub => "greet hub",
            Effect::UseRights(_) => "use rights",
            Effect::Unwant(_) => "unwant",
            Effect::End { why, .. } => {
                self.signed_out = true;
                self.codes.push(why.code);
                "end"
            }
            Effect::Forget(code) => {
                self.signed_out = true;
                self.codes.push(code);
                "forget"
            }
            Effect::Trouble(problem) => {
                self.codes.push(problem.code);
                "trouble"
            }
            Effect::Better(_) => "better",
        };
        self.did.push(name);
    }

    /// What was wanted since the last look.
    pub(super) fn look(&mut self) -> (Vec<&'static str>, Vec<Code>) {
        (
            std::mem::take(&mut self.did),
            std::mem::take(&mut self.codes),
        )
    }

    pub(super) fn holds_rights(&self) -> bool {
        matches!(self.account.admission(), Admission::Ready(_))
    }

    pub(super) fn refused_for(&self) -> Option<Code> {
        match self.account.admission() {
            Admission::None(why) => Some(why.code),
            Admission::Pending | Admission::Ready(_) => None,
        }
    }
}
