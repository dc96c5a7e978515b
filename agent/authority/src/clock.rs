//! The wall clock as a parameter: statements carry times, so tests must be able to move it.
//! Intervals (the beacon's five seconds, time limits) are measured by tokio's clock, never by this one.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_proto::time::UnixTime;

/// Tells the time.
pub trait Clock: Send + Sync {
    fn now(&self) -> UnixTime;
}

/// The computer's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // Before 1970 everything has expired, or has not begun: nothing is granted.
        UnixTime(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        )
    }
}
