//! Notices that the computer slept: the wall clock has moved on, the timers have not. Or that we did: a timer came too late.
//! After a sleep every connection that looks alive may be dead without knowing it yet.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidegate_proto::time::UnixTime;
use tokio::time::Instant;

/// A difference that no scheduler and no clock correction explains, in seconds.
const SLEEP: u64 = 15;
/// One that a nap explains, and a few other things too, in seconds.
const NAP: u64 = 2;

/// Whether the computer slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    No,
    /// Nothing proves it: what was connected before is asked whether it is.
    Perhaps,
    /// Nothing that was connected before is trusted.
    Yes,
}

/// When somebody last looked, by both clocks.
pub(crate) struct Wakefulness(Mutex<(Instant, UnixTime)>);

impl Wakefulness {
    pub(crate) fn new(wall: UnixTime) -> Self {
        Self(Mutex::new((Instant::now(), wall)))
    }

    /// Whether the computer slept since this was last asked.
    pub(crate) fn slept(&self, wall: UnixTime) -> Slept {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ticked, passed) = (now.duration_since(last.0), last.1.until(wall));
        *last = (now, wall);
        let passed = Duration::from_secs(passed);
        match passed.saturating_sub(ticked) {
            gap if gap > Duration::from_secs(SLEEP) => Slept::Yes,
            gap if gap > Duration::from_secs(NAP) => Slept::Perhaps,
            _ => Slept::No,
        }
    }
}

/// Whether a wait that was to take no longer than `most` took so much longer that nothing can have run meanwhile.
pub(crate) fn is_late(begun: Instant, most: Duration) -> bool {
    begun.elapsed() > most + Duration::from_secs(NAP)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_lid_is_noticed_once_and_a_long_wait_is_not_one() {
        let wake = Wakefulness::new(UnixTime(1000));

        advance(Duration::from_secs(600)).await;
        assert_eq!(wake.slept(UnixTime(1600)), Slept::No);
        advance(Duration::from_secs(1)).await;
        assert_eq!(wake.slept(UnixTime(5200)), Slept::Yes);
        assert_eq!(wake.slept(UnixTime(5201)), Slept::No);
        assert_eq!(wake.slept(UnixTime(5000)), Slept::No);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lid_that_was_closed_for_a_moment_is_a_reason_to_ask() {
        let wake = Wakefulness::new(UnixTime(1000));

        assert_eq!(wake.slept(UnixTime(1005)), Slept::Perhaps);
        assert_eq!(
            wake.slept(UnixTime(1007)),
            Slept::No,
            "clocks are whole seconds"
        );
        assert_eq!(wake.slept(UnixTime(1007)), Slept::No);
    }

    /// As when a process was stopped, or a virtual machine paused whose clocks go on.
    #[tokio::test(start_paused = true)]
    async fn a_timer_that_comes_too_late_is_one_too() {
        let begun = Instant::now();
        advance(Duration::from_secs(1)).await;
        assert!(!is_late(begun, Duration::from_secs(1)));

        advance(Duration::from_secs(3)).await;

        assert!(is_late(begun, Duration::from_secs(1)));
    }
}
