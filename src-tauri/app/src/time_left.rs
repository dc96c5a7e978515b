//! Time left, in words.
//! A newcomer would count seconds: a menu that changes each second cannot be clicked, so the finest step is a minute.

use tidegate_proto::time::UnixTime;

/// `12 h left`, `3 h 05 min left`, `12 min left`, `less than a minute left`.
pub fn time_left(now: UnixTime, until: UnixTime) -> String {
    let minutes = now.until(until).div_ceil(60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => "time is up".to_owned(),
        (0, 1) if now.until(until) < 60 => "less than a minute left".to_owned(),
        (0, minutes) => format!("{minutes} min left"),
        (hours, 0) => format!("{hours} h left"),
        (hours, minutes) => format!("{hours} h {minutes:02} min left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_person_would_say_it() {
        let now = UnixTime(1_000);
        let said = |secs| time_left(now, now.plus(secs));

        assert_eq!(said(0), "time is up");
        assert_eq!(said(1), "less than a minute left");
        assert_eq!(said(59), "less than a minute left");
        assert_eq!(said(60), "1 min left");
        assert_eq!(said(61), "2 min left");
        assert_eq!(said(3_600), "1 h left");
        assert_eq!(said(11_100), "3 h 05 min left");
    }

    #[test]
    fn a_time_that_has_passed_is_not_negative() {
        assert_eq!(time_left(UnixTime(9), UnixTime(3)), "time is up");
    }
}
