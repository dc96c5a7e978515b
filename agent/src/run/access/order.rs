//! Which of the hub's lists of requests is the newest: answers and events come over connections of their own, and overtake each other.
//! A newcomer would take what arrives last: an answer that was made before an event puts what was taken back among what may be used again.

use tidegate_proto::api::turn::Turn;

/// The newest list that was taken.
#[derive(Debug, Default)]
pub(in crate::run) struct Heard {
    newest: Option<Turn>,
    /// Counts sessions: what was asked in one is not told in the next.
    session: u64,
}

/// When something was asked.
#[derive(Copy, Clone, Debug, Default)]
pub(in crate::run) struct AskedAt {
    run: Option<u64>,
    session: u64,
}

impl Heard {
    /// To be kept with a call that begins now.
    pub(in crate::run) fn asks(&self) -> AskedAt {
        AskedAt {
            run: self.newest.map(|newest| newest.run),
            session: self.session,
        }
    }

    /// The session is over.
    pub(in crate::run) fn forget(&mut self) {
        self.newest = None;
        self.session += 1;
    }

    /// Whether what an event says is taken.
    pub(in crate::run) fn takes_event(&mut self, turn: Option<Turn>) -> bool {
        let newest = self.newest.zip(turn);
        let is_old = newest.is_some_and(|(newest, turn)| turn.is_before(newest));
        if !is_old {
            self.newest = turn.or(self.newest);
        }
        !is_old
    }

    /// Whether what an answer says is taken.
    pub(in crate::run) fn takes_answer(&mut self, turn: Option<Turn>, asked: AskedAt) -> bool {
        if asked.session != self.session {
            return false;
        }
        // The authority was started again since it was asked, and the new one has spoken.
        let outlived = self
            .newest
            .zip(turn)
            .is_some_and(|(newest, turn)| turn.run != newest.run && asked.run == Some(turn.run));
        !outlived && self.takes_event(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps)] // as it is said
    fn turn(run: u64, number: u64) -> Option<Turn> {
        Some(Turn { run, number })
    }

    #[test]
    fn an_older_list_never_follows_a_newer_one() {
        let mut heard = Heard::default();
        let asked = heard.asks();

        assert!(heard.takes_event(turn(1, 5)));
        assert!(!heard.takes_answer(turn(1, 4), asked));
        assert!(heard.takes_answer(turn(1, 6), asked));
        assert!(!heard.takes_event(turn(1, 5)));
    }

    #[test]
    fn an_authority_that_was_started_again_is_heard_and_its_former_self_no_more() {
        let mut heard = Heard::default();
        assert!(heard.takes_event(turn(1, 500)));
        let before = heard.asks();

        assert!(heard.takes_answer(turn(2, 0), before), "asked on the way");
        assert!(heard.takes_event(turn(2, 1)));
        assert!(!heard.takes_answer(turn(1, 501), before));
        assert!(heard.takes_answer(turn(2, 2), before));
    }

    #[test]
    fn what_was_asked_in_another_session_is_not_told_in_this_one() {
        let mut heard = Heard::default();
        let asked = heard.asks();
        heard.forget();

        assert!(!heard.takes_answer(turn(1, 9), asked));
        assert!(!heard.takes_answer(None, asked));
        assert!(heard.takes_answer(turn(1, 0), heard.asks()));
    }

    #[test]
    fn an_authority_that_knows_no_turns_is_believed_as_it_comes() {
        let mut heard = Heard::default();
        let asked = heard.asks();

        assert!(heard.takes_event(None));
        assert!(heard.takes_event(turn(1, 5)));
        assert!(heard.takes_answer(None, asked));
        assert!(
            !heard.takes_event(turn(1, 4)),
            "what it said before still counts"
        );
    }
}
