//! Keeps a flood of refusals from filling the disk: so many a second are written one by one, the rest are counted.
//! What is left out is counted, and the count stands in the audit: a flood is seen even where its drops are not.

use std::time::Instant;

/// Refusals that may be written at once after a quiet time.
const BURST: f64 = 100.0;
/// Refusals that may be written each second.
const RATE: f64 = 10.0;

/// Counts what is left out.
pub(crate) struct Refusals {
    tokens: f64,
    last: Instant,
    skipped: u64,
}

/// What to do with one refusal.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Write it, after a line that says how many were left out before it.
    Write {
        skipped: u64,
    },
    Skip,
}

impl Refusals {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tokens: BURST,
            last: now,
            skipped: 0,
        }
    }

    pub(crate) fn one(&mut self, now: Instant) -> Listing {
        let gone = now.saturating_duration_since(self.last);
        self.tokens = (self.tokens + gone.as_secs_f64() * RATE).min(BURST);
        self.last = now;
        if self.tokens < 1.0 {
            self.skipped += 1;
            return Listing::Skip;
        }
        self.tokens -= 1.0;
        Listing::Write {
            skipped: std::mem::take(&mut self.skipped),
        }
    }

    /// What was left out and not said yet.
    pub(crate) fn unsaid(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_counted_and_said_later() {
        let start = Instant::now();
        let mut refusals = Refusals::new(start);

        let written = (0..1000)
            .filter(|_| refusals.one(start) != Listing::Skip)
            .count();

        assert_eq!(written, 100);
        let later = start + Duration::from_millis(150);
        assert_eq!(refusals.one(later), Listing::Write { skipped: 900 });
        assert_eq!(refusals.one(later), Listing::Skip);
        assert_eq!(refusals.unsaid(), 1);
    }
}
