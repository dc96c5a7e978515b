//! The account without anything around it: what is asked of it and what it wants done, in virtual time.
//! How an owner carries it out is played along, so that two keepers or a sign-in that nobody ends are found here.
#![allow(clippy::unwrap_used)]

mod play;

use super::*;
use play::{DAY, HOUR, MORNING, Play, RIGHTS, access, problem, session, woken};

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
fn whoever_signs_in_once_more_keeps_all_rights_and_one_keeper() {
    let mut play = Play::signed_in();
    play.now = play.now.plus(HOUR);

    play.does(Input::SignIn(SignInWay::Browser));
    assert_eq!(play.look().0, ["end sign-in", "start sign-in"]);
    assert!(play.holds_rights());
    // A second click replaces the first.
    play.does(Input::SignIn(SignInWay::Browser));
    assert_eq!(play.look().0, ["end sign-in", "start sign-in"]);
    let new = session(play.now);
    play.does(Input::SignedIn(play.attempt(), Ok(Arc::clone(&new))));

    assert!(play.holds_rights());
    assert_eq!(
        play.look().0,
        ["better", "stop hub", "keep hub", "welcome tab"]
    );
    assert_eq!(play.account.session().unwrap().ends(), new.ends());
}

#[test]
fn a_second_sign_in_that_came_through_after_all_is_taken() {
    let mut play = Play::signed_in();
    play.does(Input::SignIn(SignInWay::Browser));
    let attempt = play.attempt();
    play.does(Input::Cancel);
    assert_eq!(
        play.look().0,
        ["end sign-in", "start sign-in", "end sign-in"]
    );

    play.now = play.now.plus(HOUR);
    let late = session(play.now);
    play.does(Input::SignedIn(attempt, Ok(Arc::clone(&late))));

    assert_eq!(play.look().0, ["stop hub", "keep hub"]);
    assert!(play.holds_rights());
    assert_eq!(play.account.session().unwrap().ends(), late.ends());
}

#[test]
fn a_session_that_ends_during_a_second_sign_in_leaves_that_one_alone() {
    let mut play = Play::signed_in();
    play.does(Input::SignIn(SignInWay::Browser));
    let attempt = play.attempt();
    play.look();

    play.does(Input::Ended(problem(Code::SessionExpired)));

    assert_eq!(play.look().0, ["stop hub", "end"]);
    assert!(!play.holds_rights());
    play.does(Input::SignedIn(attempt, Ok(session(play.now))));
    assert!(play.keeper);
}

#[test]
fn a_code_does_not_take_the_place_of_a_session_that_stands() {
    let mut play = Play::signed_in();

    play.does(Input::SignIn(SignInWay::Code));

    assert_eq!(play.look().0, Vec::<&str>::new());
    assert!(play.holds_rights());
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
            if day % 2 == 1 && play.now.0.is_multiple_of(HOUR) {
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
