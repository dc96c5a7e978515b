//! Where a list stands among all that one authority has said: answers and events come over connections of their own, and overtake each other.
//! A newcomer would compare the numbers of two runs of an authority: they say nothing about each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `RUN-NUMBER`: 16 hexadecimal digits that are drawn at each start, and a count that rises with each list.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Turn {
    pub run: u64,
    pub number: u64,
}

/// It is not written like a turn.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no turn: RUN-NUMBER is expected")]
pub struct NotATurn;

impl Turn {
    /// Whether what was said then is older than what was said at `other`.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        self.run == other.run && self.number < other.number
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.number)
    }
}

impl FromStr for Turn {
    type Err = NotATurn;

    fn from_str(text: &str) -> Result<Self, NotATurn> {
        let (run, number) = text.split_once('-').ok_or(NotATurn)?;
        let turn = Self {
            run: u64::from_str_radix(run, 16).map_err(|_| NotATurn)?,
            number: number.parse().map_err(|_| NotATurn)?,
        };
        // One way to write it, as everywhere.
        (turn.to_string() == text).then_some(turn).ok_or(NotATurn)
    }
}

impl TryFrom<String> for Turn {
    type Error = NotATurn;

    fn try_from(text: String) -> Result<Self, NotATurn> {
        text.parse()
    }
}

impl From<Turn> for String {
    fn from(turn: Turn) -> Self {
        turn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn turn(run: u64, number: u64) -> Turn {
        Turn { run, number }
    }

    #[test]
    fn a_turn_is_before_a_later_one_of_the_same_run_only() {
        assert!(turn(1, 7).is_before(turn(1, 8)));
        assert!(!turn(1, 8).is_before(turn(1, 8)));
        assert!(!turn(1, 9).is_before(turn(1, 8)));
        assert!(!turn(1, 7).is_before(turn(2, 8)), "of another run");
    }

    #[test]
    fn a_turn_is_written_in_one_way() {
        for it in [turn(0, 0), turn(10, 7), turn(u64::MAX, u64::MAX)] {
            assert_eq!(it.to_string().parse(), Ok(it));
        }
        let wrong = [
            "",
            "-",
            "7",
            "000000000000000a",
            "a-7",
            "000000000000000A-7",
            "000000000000000a-07",
            "000000000000000a-+7",
            "000000000000000a--7",
            "000000000000000a-7 ",
            "1000000000000000a-7",
            "000000000000000a-18446744073709551616",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Turn>(), Err(NotATurn), "{text}");
        }
    }
}
