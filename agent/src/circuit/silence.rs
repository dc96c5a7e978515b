//! Whether somebody waits in vain on a circuit that died beyond its relay: the outlet's leg was cut, or the word that it ended was
//! lost. Our relay answers, and nothing would ever come. A long query is silent too, so whoever waits longer is asked about less often.

use std::time::Duration;

use tidegate_link::{PortalControl, Traffic};
use tokio::time::sleep;

/// How long an answer may take before anybody asks whether the outlet is there.
const QUIET: Duration = Duration::from_secs(5);
/// The longest time between two questions about one answer.
const MOST: Duration = Duration::from_mins(5);

/// What is known of one portal.
pub(super) struct Silence {
    /// Whatever was said before this place was answered.
    answered: u64,
    owed: Option<Owed>,
}

/// An answer that has not come.
struct Owed {
    at: Traffic,
    wait: Duration,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            answered: 0,
            owed: None,
        }
    }

    /// Resolves when it is time to ask whether the other end is there, and says for how long nothing came. Safe to abandon.
    pub(super) async fn lasts(&mut self, control: &PortalControl) -> Duration {
        loop {
            let Some(owed) = &self.owed else {
                control.speaks(self.answered).await;
                self.owed = Some(Owed::since(control.traffic()));
                continue;
            };
            let waited = owed.wait;
            sleep(waited).await;
            if self.is_long(control.traffic()) {
                return waited;
            }
        }
    }

    /// Whether an answer is owed for so long that somebody should ask; to be told the traffic whenever a wait is over.
    fn is_long(&mut self, now: Traffic) -> bool {
        let Some(owed) = &mut self.owed else {
            return false;
        };
        let (heard, spoke) = (now.received != owed.at.received, now.sent != owed.at.sent);
        match (heard, spoke) {
            // Nobody knows which was the last: both begin anew.
            (true, true) => self.owed = Some(Owed::since(now)),
            (true, false) => (self.answered, self.owed) = (now.sent, None),
            (false, true) => owed.at = now,
            (false, false) => {
                owed.wait = (owed.wait * 2).min(MOST);
                return true;
            }
        }
        false
    }
}

impl Owed {
    fn since(at: Traffic) -> Self {
        Self { at, wait: QUIET }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(sent: u64, received: u64) -> Traffic {
        Traffic { sent, received }
    }

    fn owing(sent: u64, received: u64) -> Silence {
        Silence {
            answered: 0,
            owed: Some(Owed::since(traffic(sent, received))),
        }
    }

    #[test]
    fn who_hears_something_waits_for_nothing() {
        let mut silence = owing(10, 20);

        assert!(!silence.is_long(traffic(10, 21)));

        assert!(silence.owed.is_none());
        assert_eq!(silence.answered, 10, "until they speak again");
    }

    #[test]
    fn a_question_behind_an_answer_is_waited_for_as_well() {
        let mut silence = owing(10, 20);

        assert!(!silence.is_long(traffic(11, 21)));

        assert!(silence.is_long(traffic(11, 21)));
    }

    #[test]
    fn who_goes_on_speaking_is_given_time() {
        let mut silence = owing(10, 20);

        assert!(!silence.is_long(traffic(11, 20)));
        assert!(silence.is_long(traffic(11, 20)));
    }

    #[test]
    fn an_answer_that_takes_long_is_asked_about_less_and_less_often() {
        let mut silence = owing(10, 20);

        let waits = std::iter::from_fn(|| {
            let long = silence.is_long(traffic(10, 20));
            let owed = silence.owed.as_ref().filter(|_| long)?;
            Some(owed.wait.as_secs())
        });
        let waits: Vec<_> = waits.take(8).collect();

        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
