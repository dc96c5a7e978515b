//! How long to wait before trying again: doubling, with a jitter, so that a thousand servers do not return in step.
//! It only counts; whoever waits also listens for the shutdown.

use std::time::Duration;
use tidegate_proto::entropy::Entropy;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// Counts failures in a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked: the next failure waits the shortest time again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: between half and the whole of the doubled time.
    pub fn next(&mut self, entropy: &dyn Entropy) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut dice = [0; 2];
        entropy.fill(&mut dice);
        let half = full / 2;
        half + half.mul_f64(f64::from(u16::from_le_bytes(dice)) / f64::from(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn doubles_within_bounds_and_starts_over_after_success() {
        let mut backoff = Backoff::default();
        let long: Vec<Duration> = (0..64).map(|_| backoff.next(&Fixed(0xff))).collect();
        backoff.reset();

        assert_eq!(long[0], FIRST);
        assert_eq!(long[1], FIRST * 2);
        assert!(long.iter().all(|wait| *wait <= LONGEST));
        assert_eq!(long[63], LONGEST);
        assert_eq!(backoff.next(&Fixed(0)), FIRST / 2);
    }
}
