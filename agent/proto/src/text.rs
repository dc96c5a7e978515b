//! Text from somewhere else, made safe to show: in a window, a menu, a terminal, a log line, an audit record.
//! Escaping is for showing only; decisions compare the original text, byte for byte.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// Longest text that is shown, in characters after escaping; the rest becomes `…`.
pub const MAX_SHOWN: usize = 160;

/// Text that holds no control, direction or invisible characters and is at most [`MAX_SHOWN`] long.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Shown(String);

impl Shown {
    /// Escapes what would deceive a reader or steer a terminal as `\u{…}`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len().min(MAX_SHOWN));
        let mut room = MAX_SHOWN;
        for c in text.chars() {
            let start = shown.len();
            push(&mut shown, c);
            let taken = shown[start..].chars().count();
            if taken > room {
                shown.truncate(start);
                shown.push('…');
                break;
            }
            room -= taken;
        }
        Self(shown)
    }

    /// The safe text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Several lines made safe to print: line feeds stay, and nothing is cut off. For text that is mostly our own.
#[must_use]
pub fn readable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push(c),
            _ => push(&mut safe, c),
        }
    }
    safe
}

fn push(shown: &mut String, c: char) {
    if deceives(c) {
        // Writing into a String cannot fail.
        let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
    } else {
        shown.push(c);
    }
}

/// Whether a character is invisible, changes direction, or is not a character at all.
#[must_use]
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F // soft hyphen, joiners, fillers
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F // zero width, separators, bidi
            | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB // fillers, variation, byte order mark
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE000..=0xF8FF // format controls, private use
            | 0xE0000..=0xE0FFF | 0xF0000..=0x10_FFFF) // tags, private use
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        shown.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_deceive_a_reader() {
        let shown = |text| Shown::new(text).to_string();

        assert_eq!(shown("daten-team ä 数据"), "daten-team ä 数据");
        assert_eq!(
            shown("a\n{\"event\":\"allow\"}"),
            "a\\u{a}{\"event\":\"allow\"}"
        );
        assert_eq!(shown("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert_eq!(
            shown("a\u{202e}b\u{200b}c\u{0}\u{ad}"),
            "a\\u{202e}b\\u{200b}c\\u{0}\\u{ad}"
        );
        assert_eq!(shown("%n%s"), "%n%s");
    }

    #[test]
    fn several_lines_stay_several_lines_and_steer_no_terminal() {
        let long = "x".repeat(10_000);

        assert_eq!(readable("a\n  b\r\u{1b}[2J"), "a\n  b\\u{d}\\u{1b}[2J");
        assert_eq!(readable(&long), long);
    }

    #[test]
    fn shortens_what_is_too_long_and_stays_the_same_when_repeated() {
        let once = Shown::new(&"\u{202e}ä".repeat(10_000));

        assert!(once.as_str().chars().count() <= MAX_SHOWN + 1);
        assert!(once.as_str().ends_with('…'));
        assert_eq!(Shown::new(once.as_str()), once);
    }
}
