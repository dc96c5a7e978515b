//! Whether a relay is still there, asked every two seconds while that matters. What went silent without being closed, as a café's
//! wifi or a pulled cable does, would otherwise be waited for at the system's pace, which doubles with every try.
//! How long an answer may take follows how long answers took: an upload that fills the line makes them late, not absent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::RelayLink;
use tokio::time::{Instant, sleep};

/// The most: a line that is slower than this carries nobody's session.
const LONGEST: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(2);
/// A queue on the way grows no faster than this between two questions.
const GROWTH: u32 = 4;

/// How fast one relay answers.
#[derive(Debug)]
pub struct Pulse {
    least: Duration,
    /// The slowest of the last answers, in microseconds; a tenth of it is forgotten with each.
    slowest: AtomicU64,
}

impl Pulse {
    /// `least`: what a relay always has to show that it is there.
    #[must_use]
    pub const fn new(least: Duration) -> Self {
        Self {
            least,
            slowest: AtomicU64::new(0),
        }
    }

    /// How long an answer may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
        (slowest * GROWTH).clamp(self.least, LONGEST)
    }

    fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let before = self.slowest.load(Ordering::Relaxed);
        self.slowest
            .store(micros.max(before - before / 10), Ordering::Relaxed);
    }

    /// Resolves when the relay gave no answer in time. It is asked only while that matters to somebody.
    pub async fn stops(&self, link: &RelayLink, is_needed: impl Fn() -> bool) {
        loop {
            sleep(EVERY).await;
            if !is_needed() {
                continue;
            }
            let asked = Instant::now();
            if !link.answers(self.patience()).await {
                return;
            }
            self.took(asked.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Duration = Duration::from_secs(1);

    #[test]
    fn patience_follows_a_line_that_gets_slower_and_forgets_it_slowly() {
        let pulse = Pulse::new(ANSWER);
        assert_eq!(pulse.patience(), ANSWER);

        pulse.took(Duration::from_millis(80));
        assert_eq!(pulse.patience(), ANSWER, "a good line");
        pulse.took(Duration::from_millis(700));
        assert_eq!(pulse.patience(), Duration::from_millis(2800));

        pulse.took(Duration::from_millis(80));
        assert_eq!(pulse.patience(), Duration::from_millis(2520));
        (0..40).for_each(|_| pulse.took(Duration::from_millis(80)));
        assert_eq!(pulse.patience(), ANSWER);
        pulse.took(Duration::from_secs(3600));
        assert_eq!(pulse.patience(), LONGEST);
    }
}
