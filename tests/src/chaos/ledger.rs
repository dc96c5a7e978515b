//! What programs met on their side of the inlet: what they carried, how each connection ended, and whatever was wrong.
//! It knows when the outlet was killed: only a connection that was there then may end without being asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Enough to see what happened.
const TOLD: usize = 40;

/// In the place of words.
const CUT: &str = "(in the middle of an answer)";

#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
pub(super) struct Book {
    pub(super) carried: Carried,
    /// Connections that programs have right now, those that they are making included.
    pub(super) live: u64,
    pub(super) opened: u64,
    /// Their program closed them.
    pub(super) left: u64,
    /// Words of those that ended because the outlet was killed, counted.
    pub(super) ended: BTreeMap<String, u64>,
    /// Words to those that got no connection, counted.
    pub(super) refused: BTreeMap<String, u64>,
    /// What was wrong, in the order in which it first was, and how often.
    pub(super) wrong: Vec<(String, u64)>,
    pub(super) wrongs: u64,
    /// When the outlet was killed.
    deaths: Vec<Instant>,
    /// Steps of each worker.
    pub(super) moves: Vec<(String, u64)>,
    /// What each of them is at, and since when.
    at: Vec<(&'static str, Instant)>,
}

#[derive(Default, Clone, Copy)]
pub(super) struct Carried {
    pub(super) bytes_out: u64,
    pub(super) copies_out: u64,
    pub(super) bytes_in: u64,
    pub(super) copies_in: u64,
    pub(super) committed: u64,
    /// The connection ended before the answer to a commit.
    pub(super) unknown: u64,
    pub(super) answers: u64,
}

/// How a connection came to an end that its program did not ask for.
pub(super) enum End {
    /// A FATAL, and its words.
    Told(String),
    /// In the middle of a message that the database was saying: nobody can add a word to that.
    Cut,
    /// Nothing that a person could read.
    Silent(String),
}

impl Ledger {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn the_outlet_died(&self, at: Instant) {
        self.book().deaths.push(at);
    }

    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.book().note(what.into());
    }

    /// One more who works; its steps are counted under the number that comes back.
    pub(super) fn worker(&self, name: &str) -> usize {
        let mut book = self.book();
        book.moves.push((name.to_owned(), 0));
        book.at.push(("comes", Instant::now()));
        book.moves.len() - 1
    }

    /// It turns to something else.
    pub(super) fn is_at(&self, worker: usize, what: &'static str) {
        if let Some(at) = self.book().at.get_mut(worker) {
            *at = (what, Instant::now());
        }
    }

    pub(super) fn moved(&self, worker: usize) {
        if let Some((_, moves)) = self.book().moves.get_mut(worker) {
            *moves += 1;
        }
    }

    /// A connection that began then and ended now.
    pub(super) fn ended(&self, who: &str, begun: Instant, end: End) {
        let mut book = self.book();
        book.live -= 1;
        let had_to = book.deaths.iter().any(|death| begun <= *death);
        match end {
            End::Told(words) if had_to => *book.ended.entry(words).or_default() += 1,
            End::Told(words) => book.note(format!("{who} was ended, and nobody had to: {words}")),
            // Whoever knows the rest of the message died with it.
            End::Cut if had_to => *book.ended.entry(CUT.to_owned()).or_default() += 1,
            End::Cut => book.note(format!(
                "{who} ended in the middle of an answer, and nobody had to"
            )),
            End::Silent(how) => book.note(format!(
                "{who} ended without a reason ({how}), {}",
                if had_to {
                    "after the outlet was killed"
                } else {
                    "and nobody had to"
                }
            )),
        }
    }

    pub(super) fn refused(&self, who: &str, end: End) {
        let mut book = self.book();
        book.live -= 1;
        match end {
            End::Told(words) => *book.refused.entry(words).or_default() += 1,
            End::Cut => book.note(format!("{who} was turned away in the middle of a word")),
            End::Silent(how) => {
                book.note(format!("{who} was turned away without a reason: {how}"));
            }
        }
    }
}

impl Book {
    /// For whoever wants to know why a worker takes no step.
    pub(super) fn what_keeps(&self, worker: usize) -> String {
        let name = self.moves.get(worker).map_or("", |(name, _)| name);
        let (what, since) = self.at.get(worker).copied().unwrap_or(("", Instant::now()));
        format!("{name} ({what} since {} s)", since.elapsed().as_secs())
    }

    /// Told once, counted each time.
    fn note(&mut self, what: String) {
        self.wrongs += 1;
        if let Some((_, times)) = self.wrong.iter_mut().find(|(known, _)| *known == what) {
            *times += 1;
        } else if self.wrong.len() < TOLD {
            println!("  ✗ {what}");
            self.wrong.push((what, 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> End {
        End::Told("TG-5001".to_owned())
    }

    #[test]
    fn only_a_connection_that_was_there_when_the_outlet_died_may_end() {
        let ledger = Ledger::default();
        ledger.book().live = 3;
        let before = Instant::now();
        ledger.the_outlet_died(Instant::now());

        ledger.ended("one", before, told());
        assert_eq!(ledger.book().wrongs, 0);
        ledger.ended("two", before, End::Silent("closed".to_owned()));
        assert_eq!(ledger.book().wrongs, 1, "not even then without a word");
        ledger.ended("three", Instant::now(), told());
        assert_eq!(ledger.book().wrongs, 2);
    }

    #[test]
    fn only_the_death_of_the_outlet_may_cut_an_answer() {
        let ledger = Ledger::default();
        ledger.book().live = 3;
        let before = Instant::now();
        ledger.the_outlet_died(Instant::now());

        ledger.ended("one", before, End::Cut);
        assert_eq!(ledger.book().wrongs, 0);
        ledger.ended("two", Instant::now(), End::Cut);
        assert_eq!(ledger.book().wrongs, 1);
        ledger.refused("three", End::Cut);
        assert_eq!(ledger.book().wrongs, 2);
    }

    #[test]
    fn nobody_is_turned_away_without_a_reason() {
        let ledger = Ledger::default();
        ledger.book().live = 2;

        ledger.refused("one", told());
        assert_eq!(ledger.book().wrongs, 0);
        ledger.refused("two", End::Silent("closed".to_owned()));
        assert_eq!(ledger.book().wrongs, 1);
    }
}
