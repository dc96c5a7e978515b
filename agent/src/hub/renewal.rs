//! When the agent must ask for what: a newer credential, a newer ID token, the person.
//! It is asked again and again with the wall clock, never armed once: a timer that slept with the laptop would come too late.

use std::time::Duration;

use tidegate_proto::statement::Credential;
use tidegate_proto::time::UnixTime;

/// A credential is renewed this many seconds before it ends, less some jitter.
const CREDENTIAL_MARGIN: u64 = 120;
/// An ID token that ends within so many seconds is not presented any more.
const TOKEN_MARGIN: u64 = 90;
/// How long nothing is looked at: a lid that opens is noticed within this time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: look again after this time.
    Nothing(Duration),
    Credential,
    IdToken,
    /// The session is over: only the browser helps.
    SignIn,
}

/// The times that matter, wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// When the session ends for good.
    session_ends: UnixTime,
    /// When the newest ID token should be replaced, and when it must have been.
    token_due: UnixTime,
    token_until: UnixTime,
    credential_due: UnixTime,
}

impl Renewal {
    /// `jitter` in 0..=255 spreads the agents of an office: ID tokens at 70 to 90 % of their life, credentials up to a minute early.
    /// An ID token is replaced with each credential, however long it lives: somebody who was shut out at the provider is out here by then.
    pub(crate) fn new(
        issued: UnixTime,
        expires: UnixTime,
        session_ends: UnixTime,
        jitter: u8,
    ) -> Self {
        let life = issued.until(expires);
        let share = 70 * 256 + 20 * u64::from(jitter);
        Self {
            session_ends,
            token_due: issued.plus((life * share / 25_600).min(Credential::LIFE - early(jitter))),
            token_until: expires,
            credential_due: UnixTime(0),
        }
    }

    /// The same with a credential that ends at `until`.
    pub(crate) fn with_credential(self, until: UnixTime, jitter: u8) -> Self {
        Self {
            credential_due: until.minus(early(jitter)),
            ..self
        }
    }

    /// Whether the newest ID token may still be presented at `now`.
    pub(crate) fn token_holds(&self, now: UnixTime) -> bool {
        now.plus(TOKEN_MARGIN) < self.token_until
    }

    /// The same with the next refresh at least a minute off, after one that failed or gave a token that is old already.
    pub(crate) fn unhurried(self, now: UnixTime) -> Self {
        Self {
            token_due: self.token_due.max(now.plus(60)),
            ..self
        }
    }

    /// What is due at `now`. An ID token comes before the credential that needs it.
    pub(crate) fn due(&self, now: UnixTime) -> Due {
        if now >= self.session_ends {
            return Due::SignIn;
        }
        if now >= self.token_due {
            return Due::IdToken;
        }
        if now >= self.credential_due {
            return Due::Credential;
        }
        let next = self
            .session_ends
            .min(self.token_due)
            .min(self.credential_due);
        Due::Nothing(LOOK_AGAIN.min(Duration::from_secs(now.until(next).max(1))))
    }
}

/// So many seconds before its end a credential is renewed.
fn early(jitter: u8) -> u64 {
    CREDENTIAL_MARGIN + u64::from(jitter) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// Lives through `until` like the hub task does, and counts what it did.
    #[derive(Default)]
    struct Life {
        credentials: u32,
        tokens: u32,
        sign_ins: u32,
    }

    impl Life {
        fn live(&mut self, until: UnixTime, mut now: UnixTime) {
            while now < until {
                self.sign_ins += 1;
                now = self.session(until, now);
            }
        }

        fn session(&mut self, until: UnixTime, started: UnixTime) -> UnixTime {
            let ends = started.plus(12 * HOUR);
            let mut now = started;
            let mut token_until = now.plus(HOUR);
            let mut credential_until = now.plus(600);
            let mut renewal =
                Renewal::new(now, token_until, ends, 128).with_credential(credential_until, 128);
            while now < until {
                match renewal.due(now) {
                    Due::SignIn => return now,
                    Due::IdToken => {
                        self.tokens += 1;
                        token_until = now.plus(HOUR);
                        renewal = Renewal::new(now, token_until, ends, 128)
                            .with_credential(credential_until, 128);
                    }
                    Due::Credential => {
                        assert!(renewal.token_holds(now));
                        self.credentials += 1;
                        credential_until = now.plus(600);
                        renewal = renewal.with_credential(credential_until, 128);
                    }
                    Due::Nothing(wait) => {
                        assert!(now < credential_until && now < token_until);
                        assert!(wait >= Duration::from_secs(1) && wait <= LOOK_AGAIN);
                        now = now.plus(wait.as_secs());
                    }
                }
            }
            now
        }
    }

    #[test]
    fn a_week_of_credential_renewals_takes_no_time() {
        let mut life = Life::default();

        life.live(UnixTime(1_000_000 + 7 * 24 * HOUR), UnixTime(1_000_000));

        assert_eq!(life.sign_ins, 14);
        assert!(
            (1_200..1_500).contains(&life.credentials),
            "{}",
            life.credentials
        );
        assert!((1_200..1_500).contains(&life.tokens), "{}", life.tokens);
    }

    #[test]
    fn a_lid_that_opens_late_finds_everything_due_and_in_order() {
        let renewal = Renewal::new(UnixTime(0), UnixTime(HOUR), UnixTime(12 * HOUR), 0)
            .with_credential(UnixTime(600), 0);

        assert_eq!(renewal.due(UnixTime(500)), Due::IdToken);
        assert_eq!(renewal.due(UnixTime(2 * HOUR)), Due::IdToken);
        assert_eq!(renewal.due(UnixTime(13 * HOUR)), Due::SignIn);
        assert!(!renewal.token_holds(UnixTime(2 * HOUR)));
    }

    #[test]
    fn an_office_does_not_renew_in_step() {
        let due = |life, jitter| {
            Renewal::new(UnixTime(0), UnixTime(life), UnixTime(12 * HOUR), jitter).token_due
        };

        assert_eq!(due(300, 0), UnixTime(210));
        assert!(due(300, 255) > UnixTime(268) && due(300, 255) < UnixTime(270));
        assert_eq!(due(HOUR, 0), UnixTime(480));
        assert_eq!(due(HOUR, 255), UnixTime(417));
    }

    #[test]
    fn the_provider_is_asked_again_within_the_life_of_a_credential() {
        for jitter in 0..=255 {
            let renewal = Renewal::new(UnixTime(0), UnixTime(HOUR), UnixTime(12 * HOUR), jitter)
                .with_credential(UnixTime(Credential::LIFE), jitter);

            assert_eq!(
                renewal.due(UnixTime(Credential::LIFE - CREDENTIAL_MARGIN)),
                Due::IdToken
            );
        }
    }
}
