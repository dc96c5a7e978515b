//! Lengths of time as people and policies write them: `2h`, `90m`, `1h30m`, `7d`.
//! One spelling, whole numbers, the larger unit first: what could be read in two ways is not read at all.

/// Seconds in a day, an hour, a minute, a second, and their letters, largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Why a text is no length of time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a length of time such as 90m or 1h30m")]
pub struct NotASpan;

/// Reads a length of time, in seconds.
///
/// # Errors
/// For anything but whole numbers with a unit each, the larger units first and none twice.
pub fn parse(text: &str) -> Result<u64, NotASpan> {
    let (mut seconds, mut rest, mut units) = (0_u64, text, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| NotASpan)?;
        let unit = rest[digits..].chars().next().ok_or(NotASpan)?;
        let (_, each) = units.find(|(letter, _)| *letter == unit).ok_or(NotASpan)?;
        let part = number.checked_mul(*each).ok_or(NotASpan)?;
        seconds = seconds.checked_add(part).ok_or(NotASpan)?;
        rest = &rest[digits + 1..];
    }
    if text.is_empty() {
        Err(NotASpan)
    } else {
        Ok(seconds)
    }
}

/// Writes a length of time so that it is read back: `1h30m`.
#[must_use]
pub fn text(seconds: u64) -> String {
    let (mut text, mut rest) = (String::new(), seconds);
    for (letter, each) in UNITS {
        if rest >= each {
            text.push_str(&(rest / each).to_string());
            text.push(letter);
            rest %= each;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write_and_nothing_that_could_mean_two_things() {
        for (text, seconds) in [
            ("2h", 7200),
            ("90m", 5400),
            ("1h30m", 5400),
            ("7d", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
        let odd = [
            "",
            "2",
            "h",
            "-2h",
            "+2h",
            "2 h",
            "2H",
            "1.5h",
            "30m1h",
            "1h1h",
            "2h ",
            " 2h",
            "2hours",
            "2\u{200b}h",
            "٢h",
            "99999999999999999999s",
            "9999999999999999d",
            "1e3s",
            "0x10s",
        ];
        for text in odd {
            assert_eq!(parse(text), Err(NotASpan), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0_u64..1 << 40) {
            prop_assert_eq!(parse(&text(seconds)), Ok(seconds));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
