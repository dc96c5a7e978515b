//! The account without anything around it: what is asked of it and what it wants done, in virtual time.
//! `Play` carries out as the owner would, so that two keepers or a sign-in that nobody ends are found here.
#![allow(clippy::unwrap_used)]

use tidegate_proto::identity::SigningKey;
use zeroize::Zeroizing;

use super::*;
use crate::signin::tokens::{Claims, Tokens};

const MORNING: u64 = 1_000_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// How long a session lasts here.
const LONGEST: u64 = 12 * HOUR;
/// How long rights last.
const RIGHTS: u64 = 600;

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[5; 32]))
}

fn session(from: UnixTime) -> Arc<Session> {
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

fn access(session: &Arc<Session>, now: UnixTime) -> Arc<Access> {
    Arc::new(Access {
        org: "acme".parse().unwrap(),
        credential: "credential".into(),
        credential_until: now.plus(RIGHTS),
        session: Arc::clone(session),
        identity: key(),
        catalogue: crate::hub::access::Catalogue::new(),
        chain: None,
    })
}

fn woken(session: Option<Arc<Session>>) -> Result<Woken, Problem> {
    Ok(Woken {
        identity: Some(key()),
        leaves_something: session.is_some(),
        session,
    })
}

fn problem(code: Code) -> Problem {
    Problem::new(code)
}

/// An account, and what an owner would have running for it.
struct Play {
    account: Account,
    now: UnixTime,
    attempts: u64,
    has_key: bool,
    is_enrolled: bool,
    signed_out: bool,
    keeper: bool,
    sign_in: bool,
    /// What was wanted since somebody looked.
    did: Vec<&'static str>,
    codes: Vec<Code>,
}

impl Play {
    fn new() -> Self {
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
    fn awake() -> Self {
        let mut play = Self::new();
        play.does(Input::Wake);
        let attempt = play.attempt();
        play.does(Input::Woken(attempt, woken(None)));
        play.look();
        play
    }

    fn signed_in() -> Self {
        let mut play = Self::awake();
        play.comes_in();
        play.look();
        play
    }

    /// From click to rights.
    fn comes_in(&mut self) {
        self.does(Input::SignIn(SignInWay::Browser));
        let (attempt, session) = (self.attempt(), session(self.now));
        self.does(Input::SignedIn(attempt, Ok(Arc::clone(&session))));
        self.does(Input::Granted(access(&session, self.now)));
    }

    fn attempt(&self) -> u64 {
        self.account.attempt().expect("something is under way")
    }

    fn does(&mut self, input: Input) {
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
        let is_signing_in = matches!(self.account, Account::SigningIn { .. });
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
    fn look(&mut self) -> (Vec<&'static str>, Vec<Code>) {
        (
            std::mem::take(&mut self.did),
            std::mem::take(&mut self.codes),
        )
    }

    fn holds_rights(&self) -> bool {
        matches!(self.account.admission(), Admission::Ready(_))
    }

    fn refused_for(&self) -> Option<Code> {
        match self.account.admission() {
            Admission::None(why) => Some(why.code),
            Admission::Pending | Admission::Ready(_) => None,
        }
    }
}

#[test]
fn a_session_that_is_found_after_a_sign_out_while_waking_is_left_alone() {
    let mut play = Play::new();
    play.does(Input::Wake);
    let attempt = play.attempt();

    play.does(Input::SignOut);
    play.does(Input::Woken(attempt, woken(Some(session(play.now)))));

    assert!(matches!(play.account, Account::SignedOut { .. }));
    assert!(!play.has_key, "an old key does not take a new one's place");
    assert_eq!(play.refused_for(), Some(Code::SignInNeeded));
}

#[test]
fn a_session_that_a_locked_keyring_kept_signs_nobody_in_and_is_forgotten_later() {
    let mut play = Play::new();
    play.signed_out = true;
    play.does(Input::Wake);
    let attempt = play.attempt();
    play.look();

    play.does(Input::Woken(attempt, woken(Some(session(play.now)))));

    assert!(matches!(play.account, Account::SignedOut { .. }));
    assert_eq!(
        play.look(),
        (
            vec!["better", "take key", "forget", "greet hub"],
            vec![Code::SignedOut]
        )
    );
}

#[test]
fn a_sign_in_in_the_place_of_another_leaves_no_rights_behind() {
    let mut play = Play::awake();
    play.does(Input::SignIn(SignInWay::Browser));
    let attempt = play.attempt();
    let late = session(play.now);
    play.does(Input::SignedIn(attempt, Ok(Arc::clone(&late))));
    assert!(matches!(play.account.admission(), Admission::Pending));

    play.does(Input::SignIn(SignInWay::Browser));
    play.does(Input::Granted(access(&late, play.now)));

    assert!(!play.holds_rights() && !play.keeper);
    assert_eq!(play.refused_for(), Some(Code::SignInNeeded));
    play.does(Input::Cancel);
    assert_eq!(play.refused_for(), Some(Code::SignInNeeded));
}

#[test]
fn a_device_that_was_not_let_in_waits_for_nothing() {
    let mut play = Play::awake();
    play.is_enrolled = false;
    play.does(Input::SignIn(SignInWay::Browser));
    let attempt = play.attempt();
    play.does(Input::SignedIn(attempt, Ok(session(play.now))));
    let attempt = play.attempt();

    play.does(Input::LetIn(attempt, Err(problem(Code::IntroductionOver))));

    assert_eq!(play.refused_for(), Some(Code::IntroductionOver));
    play.look();
    play.does(Input::SignIn(SignInWay::Browser));
    let (did, _) = play.look();
    assert_eq!(did.last(), Some(&"introduce"), "needs no browser: {did:?}");
}

#[test]
fn the_catalogue_is_the_hubs_word_only_once_the_rights_are_there() {
    let mut play = Play::awake();
    play.does(Input::SignIn(SignInWay::Browser));
    let (attempt, session) = (play.attempt(), session(play.now));
    play.does(Input::SignedIn(attempt, Ok(Arc::clone(&session))));
    assert!(play.account.access().is_none());

    play.does(Input::Granted(access(&session, play.now)));

    assert!(play.account.access().is_some() && play.holds_rights());
}

#[test]
fn whatever_ends_a_sign_in_tells_its_tab() {
    for input in [
        Input::Cancel,
        Input::SignOut,
        Input::Adopt,
        Input::SignIn(SignInWay::Code),
    ] {
        let mut play = Play::awake();
        play.does(Input::SignIn(SignInWay::Browser));
        play.look();

        play.does(input);

        let (did, _) = play.look();
        assert!(did.contains(&"end sign-in"), "{did:?}");
    }
}

#[test]
fn a_locked_keyring_is_asked_again_without_a_word_until_it_answers_differently() {
    let mut play = Play::new();
    play.does(Input::Wake);
    let attempt = play.attempt();
    play.does(Input::Woken(attempt, Err(problem(Code::KeyringLocked))));
    play.look();

    for _ in 0..100 {
        play.does(Input::LookAgain);
        play.does(Input::LookAgain);
        let attempt = play.attempt();
        play.does(Input::Woken(attempt, Err(problem(Code::KeyringLocked))));
        assert_eq!(play.look(), (vec!["read keys"], vec![]));
        assert_eq!(play.refused_for(), Some(Code::KeyringLocked));
    }
    play.does(Input::LookAgain);
    let attempt = play.attempt();
    play.does(Input::Woken(attempt, Err(problem(Code::KeyringAbsent))));
    assert_eq!(play.look().1, [Code::KeyringAbsent]);
    play.does(Input::LookAgain);
    let attempt = play.attempt();
    play.does(Input::Woken(attempt, woken(Some(session(play.now)))));

    assert!(matches!(play.account, Account::SignedIn { .. }));
}

#[test]
fn what_a_replaced_sign_in_kept_goes_with_the_one_that_replaced_it() {
    let mut play = Play::awake();
    play.does(Input::SignIn(SignInWay::Browser));
    let first = play.attempt();
    play.does(Input::SignIn(SignInWay::Browser));
    play.does(Input::SignedIn(first, Ok(session(play.now))));
    play.look();

    play.does(Input::Cancel);

    assert!(play.look().0.contains(&"forget"));
}

#[test]
fn a_clock_that_is_wrong_withholds_rights_until_the_next_ones() {
    let mut play = Play::signed_in();
    let session = Arc::clone(play.account.session().unwrap());

    play.does(Input::Withheld(problem(Code::ClockOff)));
    assert_eq!(play.refused_for(), Some(Code::ClockOff));
    play.does(Input::Granted(access(&session, play.now)));

    assert!(play.holds_rights());
}

#[test]
fn a_week_of_signing_in_takes_no_time() {
    let mut play = Play::awake();
    for day in 0..7 {
        play.now = UnixTime(MORNING + day * DAY);
        // In the morning the first try is given up.
        play.does(Input::SignIn(SignInWay::Browser));
        play.does(Input::Cancel);
        play.comes_in();
        let session = Arc::clone(play.account.session().unwrap());
        while play.now < session.ends() {
            assert!(play.holds_rights());
            play.now = play.now.plus(RIGHTS / 2);
            if day % 2 == 1 && play.now.0 % HOUR == 0 {
                // The hub is away for longer than the rights last.
                play.now = play.now.plus(RIGHTS);
                play.does(Input::HubAway);
                assert!(matches!(play.account.admission(), Admission::Pending));
            }
            play.does(Input::Granted(access(&session, play.now)));
        }
        play.look();
        // In the evening it ends by itself, or she ends it.
        let (end, said) = match day % 3 {
            0 => (Input::SignOut, Code::SignInNeeded),
            _ => (
                Input::Ended(problem(Code::SessionExpired)),
                Code::SessionExpired,
            ),
        };
        play.does(end);
        assert_eq!(play.refused_for(), Some(said));
        assert_eq!(
            play.look().0,
            ["stop hub", "end sign-in", "end", "greet hub"]
        );
    }
    assert!(!play.keeper && !play.sign_in, "nothing is left");
}

/// A small generator of numbers: the same orders in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

#[test]
fn whatever_happens_in_whatever_order_nobody_has_rights_without_a_keeper() {
    let mut dice = Dice(42);
    for _ in 0..300 {
        let mut play = Play::new();
        play.does(Input::Wake);
        for _ in 0..60 {
            // Of an attempt that was, is, or is not yet.
            let attempt = (play.attempts + 1).saturating_sub(dice.throw(5));
            let session = session(play.now);
            play.does(match dice.throw(14) {
                0 => Input::SignIn(SignInWay::Browser),
                1 => Input::Cancel,
                2 => Input::SignOut,
                3 => Input::Adopt,
                4 => Input::LookAgain,
                5 => Input::Woken(attempt, woken(Some(session))),
                6 => Input::Woken(attempt, Err(problem(Code::KeyringLocked))),
                7 => Input::SignedIn(attempt, Ok(session)),
                8 => Input::SignedIn(attempt, Err(problem(Code::SignInTimedOut))),
                9 => Input::LetIn(attempt, Err(problem(Code::IntroductionOver))),
                10 => Input::Granted(access(&session, play.now)),
                11 => Input::HubAway,
                12 => Input::Withheld(problem(Code::ClockOff)),
                _ => Input::Ended(problem(Code::RevokedByAdmin)),
            });
            assert!(play.keeper || !play.holds_rights(), "{:?}", play.did);
        }
    }
}
