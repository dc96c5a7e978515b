//! Which problems a person is shown: not what another one explains, and not what may be over before it is read.
//! A newcomer would filter in the tray, then again in the window: everybody who shows problems asks `shown`, so all say the same.

use super::{Code, Problem};
use crate::time::UnixTime;
use std::time::Duration;

impl Code {
    /// What explains this one: while such a problem is there, this one is its consequence and no news of its own.
    #[must_use]
    pub fn depends_on(self) -> &'static [Self] {
        match self {
            Self::HubUnreachable
            | Self::HubBusy
            | Self::AuthorityAway
            | Self::RelayRefused
            | Self::TimedOut => &[Self::HubStopping, Self::ClockOff],
            Self::CircuitLost => &[
                Self::HubUnreachable,
                Self::AuthorityAway,
                Self::HubStopping,
                Self::OutletStopping,
            ],
            Self::OutletAbsent => &[
                Self::HubUnreachable,
                Self::HubStopping,
                Self::OutletStopping,
            ],
            Self::ProviderUnreachable => &[Self::HubUnreachable],
            Self::HubNotTrusted | Self::ProviderAnswerWrong | Self::ProviderNotTrusted => {
                &[Self::ClockOff]
            }
            Self::NotAdmitted => &[Self::ClockOff, Self::Revoked, Self::NotEnrolled],
            Self::SessionExpired | Self::PolicyChanged | Self::NotAvailable => {
                &[Self::Revoked, Self::RevokedByAdmin]
            }
            Self::Expired => &[Self::SessionExpired, Self::SignedOutByProvider],
            Self::TargetClosed | Self::TargetSilent => &[Self::KillSwitch],
            Self::SignInNeeded => &[
                Self::KeyringLocked,
                Self::KeyringAbsent,
                Self::KeyringSilent,
                Self::NotJoined,
                Self::NotEnrolled,
                Self::KeyMissing,
                Self::SessionExpired,
                Self::SignedOutByProvider,
                Self::Revoked,
                Self::RevokedByAdmin,
            ],
            _ => &[],
        }
    }

    /// How long it lasts before it is worth a word. What answers a person's own click has no date and does not wait.
    #[must_use]
    pub fn shown_after(self) -> Duration {
        Duration::from_secs(match self {
            // Wi-Fi that changes rooms, a hub's connection made anew.
            Self::HubUnreachable | Self::TimedOut | Self::ProviderUnreachable => 6,
            // It took fifteen seconds to notice already.
            Self::AuthorityAway => 3,
            Self::HubBusy | Self::RelayRefused => 10,
            // Nobody needs to do anything unless it does not come back.
            Self::HubStopping => 20,
            _ => 0,
        })
    }
}

/// What to show now, in the given order.
#[must_use]
pub fn shown<'a>(
    problems: impl IntoIterator<Item = &'a Problem>,
    now: UnixTime,
) -> Vec<&'a Problem> {
    let all: Vec<&Problem> = problems.into_iter().collect();
    let worth_a_word =
        |problem: &&Problem| waits(problem, now) == 0 && !is_explained(problem, &all, now);
    all.iter().copied().filter(worth_a_word).collect()
}

/// Seconds until one more of these is old enough to be shown; `None` when none waits.
#[must_use]
pub fn next_shown<'a>(
    problems: impl IntoIterator<Item = &'a Problem>,
    now: UnixTime,
) -> Option<u64> {
    let waiting = problems.into_iter().map(|problem| waits(problem, now));
    waiting.filter(|secs| *secs > 0).min()
}

fn waits(problem: &Problem, now: UnixTime) -> u64 {
    // A date in the future is a clock that was set back: no reason to be silent for an hour.
    let Some(since) = problem.since.filter(|since| *since <= now) else {
        return 0;
    };
    now.until(since.plus(problem.code.shown_after().as_secs()))
}

fn is_explained(problem: &Problem, all: &[&Problem], now: UnixTime) -> bool {
    all.iter().any(|other| {
        // The answer to a click does not wait for its cause to be worth a word.
        if problem.since.is_none() && waits(other, now) > 0 {
            return false;
        }
        let about_the_same =
            other.facts.service.is_none() || other.facts.service == problem.facts.service;
        about_the_same && explains(other.code, problem.code)
    })
}

fn explains(cause: Code, effect: Code) -> bool {
    let reasons = effect.depends_on();
    reasons.contains(&cause) || reasons.iter().any(|reason| explains(cause, *reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOON: UnixTime = UnixTime(1_000_000);

    fn codes(problems: &[Problem], now: UnixTime) -> Vec<Code> {
        shown(problems, now)
            .iter()
            .map(|problem| problem.code)
            .collect()
    }

    /// Window, tray, `tidegate status` and the events of it: what is hidden behind what, in all of them.
    #[test]
    fn which_problem_explains_which() {
        let explained = Code::ALL.iter().filter_map(|effect| {
            let causes = Code::ALL.iter().filter(|cause| explains(**cause, *effect));
            let causes: Vec<_> = causes.map(|cause| format!("{cause:?}")).collect();
            (!causes.is_empty()).then(|| format!("{effect:?}: {}", causes.join(", ")))
        });

        insta::assert_snapshot!("explained", explained.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_hub_that_is_away_for_two_seconds_is_no_news() {
        let away = [Problem::new(Code::HubUnreachable).since(NOON)];

        assert_eq!(codes(&away, NOON.plus(2)), []);
        assert_eq!(next_shown(&away, NOON.plus(2)), Some(4));
        assert_eq!(codes(&away, NOON.plus(6)), [Code::HubUnreachable]);
        assert_eq!(next_shown(&away, NOON.plus(6)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nothing() {
        let away = [Problem::new(Code::HubUnreachable).since(NOON)];

        assert_eq!(codes(&away, NOON.minus(3_600)), [Code::HubUnreachable]);
    }

    #[test]
    fn the_answer_to_a_click_does_not_wait() {
        let answer = [Problem::new(Code::HubUnreachable)];

        assert_eq!(codes(&answer, NOON), [Code::HubUnreachable]);
    }

    #[test]
    fn what_another_problem_explains_is_not_shown_beside_it() {
        let reports = "reports".parse().unwrap();
        let all = [
            Problem::new(Code::OutletAbsent).service(&reports),
            Problem::new(Code::PortTaken).service(&reports),
            Problem::new(Code::HubUnreachable).since(NOON),
        ];

        assert_eq!(codes(&all, NOON), [Code::OutletAbsent, Code::PortTaken]);
        assert_eq!(
            codes(&all, NOON.plus(6)),
            [Code::PortTaken, Code::HubUnreachable]
        );
        assert_eq!(
            codes(&all[..2], NOON),
            [Code::OutletAbsent, Code::PortTaken]
        );
    }

    #[test]
    fn a_reason_explains_only_its_own_service_and_over_any_number_of_steps() {
        let service = |name: &str| name.parse().unwrap();
        let stopping = Problem::new(Code::OutletStopping).service(&service("reports"));
        let lost = |name: &str| Problem::new(Code::CircuitLost).service(&service(name));

        assert_eq!(
            codes(
                &[lost("warehouse"), stopping.clone(), lost("reports")],
                NOON
            ),
            [Code::CircuitLost, Code::OutletStopping]
        );
        assert!(
            explains(Code::ClockOff, Code::CircuitLost),
            "by way of the hub"
        );
    }

    #[test]
    fn a_keyring_that_is_locked_explains_why_nobody_is_signed_in() {
        for keyring in Code::NO_KEYRING {
            let all = [Problem::new(Code::SignInNeeded), Problem::new(*keyring)];

            assert_eq!(codes(&all, NOON), [*keyring]);
        }
    }

    #[test]
    fn no_problem_explains_itself() {
        for code in Code::ALL {
            // A circle would never end here.
            assert!(!explains(*code, *code), "{code}");
        }
    }
}
