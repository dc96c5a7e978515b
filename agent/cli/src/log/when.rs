//! A moment as people say it: so long ago, a day, or to the second.
//! All of it is UTC, as audits are: whoever reads two of them from two places must not add hours.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidegate_proto::span;
use tidegate_proto::time::UnixTime;

/// A moment, or a distance from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Ago(u64),
    At(UnixTime),
}

#[derive(Debug, thiserror::Error)]
#[error("write 2h, 2026-01-31 or 2026-01-31T12:00:00Z")]
pub(super) struct NoTime;

impl FromStr for When {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(seconds) = span::parse(text) {
            return Ok(Self::Ago(seconds));
        }
        let day = || {
            let midnight = text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
            Some(midnight.timestamp())
        };
        let at = text.parse::<Timestamp>().ok().or_else(day).ok_or(NoTime)?;
        let seconds = u64::try_from(at.as_second()).map_err(|_| NoTime)?;
        Ok(Self::At(UnixTime(seconds)))
    }
}

impl When {
    pub(super) fn before(self, now: UnixTime) -> UnixTime {
        match self {
            Self::Ago(seconds) => now.minus(seconds),
            Self::At(at) => at,
        }
    }
}

/// `2026-01-31 12:00:00`
pub(super) fn text(at: UnixTime) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_what_people_write_and_says_it_as_audits_do() {
        let now = UnixTime(1_800_000_000);
        for (said, meant) in [
            ("2h", "2027-01-15 06:00:00"),
            ("2026-01-31", "2026-01-31 00:00:00"),
            ("2026-01-31T12:00:05Z", "2026-01-31 12:00:05"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31 10:00:00"),
        ] {
            let when: When = said.parse().unwrap();
            assert_eq!(text(when.before(now)), meant, "{said}");
        }
        for nonsense in ["", "yesterday", "2", "-2h", "2026-02-30", "1900-01-01"] {
            assert!(nonsense.parse::<When>().is_err(), "{nonsense}");
        }
    }
}
