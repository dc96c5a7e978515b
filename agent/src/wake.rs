//! Notices that the computer slept: the wall clock has moved on, the timers have not.
//! After a sleep every connection that looks alive may be dead without knowing it yet.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidegate_proto::time::UnixTime;
use tokio::time::Instant;

/// A difference that no scheduler and no clock correction explains, in seconds.
const SLEEP: u64 = 15;

/// When somebody last looked, by both clocks.
pub(crate) struct Wakefulness(Mutex<(Instant, UnixTime)>);

impl Wakefulness {
    pub(crate) fn new(wall: UnixTime) -> Self {
        Self(Mutex::new((Instant::now(), wall)))
    }

    /// Whether the computer slept since this was last asked.
    pub(crate) fn slept(&self, wall: UnixTime) -> bool {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ticked, passed) = (now.duration_since(last.0), last.1.until(wall));
        *last = (now, wall);
        Duration::from_secs(passed) > ticked + Duration::from_secs(SLEEP)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_lid_is_noticed_once_and_a_long_wait_is_not_one() {
        let wake = Wakefulness::new(UnixTime(1000));

        advance(Duration::from_secs(600)).await;
        assert!(!wake.slept(UnixTime(1600)));
        advance(Duration::from_secs(1)).await;
        assert!(wake.slept(UnixTime(5200)));
        assert!(!wake.slept(UnixTime(5201)));
        assert!(!wake.slept(UnixTime(5000)));
    }
}
