//! Wall-clock time as the protocol writes it: whole seconds since 1970, UTC.
//! Arithmetic saturates: a far-future deadline must never wrap round into the past.

use serde::{Deserialize, Serialize};

/// Seconds since the Unix epoch, wall clock.
#[derive(
    Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// This time, `secs` seconds later.
    #[must_use]
    pub fn plus(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// This time, `secs` seconds earlier.
    #[must_use]
    pub fn minus(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Seconds from this time to `later`; zero when `later` is already past.
    #[must_use]
    pub fn until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}
