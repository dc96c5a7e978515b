//! How long to wait before trying again: short at first, at most half a minute, never in step with others.
//! The wait itself belongs to the caller, who must stay deaf to nothing while it lasts.

use std::time::Duration;

use tidegate_proto::entropy::{Entropy, SystemEntropy};

const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubling waits with jitter of a quarter.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait before the next attempt.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait.mul_f64(0.75 + f64::from(jitter()) / 512.0)
    }

    /// It worked: the next failure starts over.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// A number nobody can foresee, for spreading.
pub(crate) fn jitter() -> u8 {
    let mut byte = [0];
    SystemEntropy.fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_half_a_minute_and_starts_over() {
        let mut backoff = Backoff::new();

        assert!(backoff.wait() <= Duration::from_millis(375));
        for _ in 0..20 {
            assert!(backoff.wait() <= Duration::from_millis(37_500));
        }
        assert!(backoff.wait() >= Duration::from_millis(22_500));
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(375));
    }
}
