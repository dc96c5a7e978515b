//! Wall-clock time in whole seconds: the only clock the protocol knows, always handed in by the caller.
//! Differences saturate: a clock that jumped backwards gives zero seconds, never a huge number.

use serde::{Deserialize, Serialize};

/// How far two honest clocks may be apart, in seconds (PROTOCOL section 7, check 4).
pub const SKEW: u64 = 60;

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(
    Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// `seconds` later; stops at the end of time.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// `seconds` earlier; stops at 1970.
    #[must_use]
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds from here to `later`; zero when `later` is in the past.
    #[must_use]
    pub fn until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// Whether something that began here has begun at `now`, give or take [`SKEW`].
    #[must_use]
    pub fn has_begun(self, now: Self) -> bool {
        self <= now.plus(SKEW)
    }

    /// Whether something that ends here is over at `now`, give or take [`SKEW`].
    #[must_use]
    pub fn has_ended(self, now: Self) -> bool {
        self.plus(SKEW) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_wraps() {
        assert_eq!(UnixTime(u64::MAX).plus(1), UnixTime(u64::MAX));
        assert_eq!(UnixTime(1).minus(2), UnixTime(0));
        assert_eq!(UnixTime(9).until(UnixTime(3)), 0);
    }

    #[test]
    fn a_minute_of_skew_is_forgiven_and_no_more() {
        let noon = UnixTime(43_200);

        assert!(noon.has_begun(noon.minus(60)) && !noon.has_begun(noon.minus(61)));
        assert!(!noon.has_ended(noon.plus(59)) && noon.has_ended(noon.plus(60)));
    }
}
