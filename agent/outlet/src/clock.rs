//! The outlet's clocks: the wall clock for what statements say, and local time in a service's zone for what policies say.
//! A deadline of a portal is held against the wall clock at every check: a laptop's or server's timer does not run while it sleeps.

use jiff::{Timestamp, tz::TimeZone};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidegate_proto::time::UnixTime;

/// Now, by the wall clock.
#[must_use]
pub fn now() -> UnixTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixTime(since.as_secs())
}

/// A time zone by its IANA name; UTC unless the owner says otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The machine knows no zone of that name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone has this name")]
pub struct NoSuchZone;

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = NoSuchZone;

    fn from_str(name: &str) -> Result<Self, NoSuchZone> {
        TimeZone::get(name).map(Self).map_err(|_| NoSuchZone)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("?"))
    }
}

/// What a clock on the wall beside the service shows.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Seconds since the local midnight, by the clock's face.
    pub seconds: u32,
    /// Monday is 1, Sunday is 7.
    pub weekday: u8,
}

impl Zone {
    /// Local time at `at`; summer time and all.
    #[must_use]
    pub fn local(&self, at: UnixTime) -> LocalTime {
        let second = i64::try_from(at.0).unwrap_or(i64::MAX);
        let local = Timestamp::from_second(second)
            .unwrap_or(Timestamp::MAX)
            .to_zoned(self.0.clone());
        let face = |n: i8| u32::from(n.unsigned_abs());
        let seconds = face(local.hour()) * 3600 + face(local.minute()) * 60 + face(local.second());
        LocalTime {
            seconds,
            weekday: local.weekday().to_monday_one_offset().unsigned_abs(),
        }
    }
}

/// `2026-01-31`, in UTC: names the audit file of a day.
#[must_use]
pub fn day(at: UnixTime) -> String {
    let second = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_second(second)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .date()
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_clock_in_berlin_follows_summer_time() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();

        let winter = berlin.local(UnixTime(1_768_467_600)); // 2026-01-15 09:00 UTC
        let summer = berlin.local(UnixTime(1_784_106_000)); // 2026-07-15 09:00 UTC

        assert_eq!(
            winter,
            LocalTime {
                seconds: 10 * 3600,
                weekday: 4
            }
        );
        assert_eq!(
            summer,
            LocalTime {
                seconds: 11 * 3600,
                weekday: 3
            }
        );
    }

    #[test]
    fn an_unknown_zone_is_refused_and_the_default_is_utc() {
        assert_eq!("Europe/Atlantis".parse::<Zone>(), Err(NoSuchZone));
        assert_eq!(Zone::default().local(UnixTime(3600)).seconds, 3600);
        assert_eq!(day(UnixTime(1_768_467_600)), "2026-01-15");
    }
}
