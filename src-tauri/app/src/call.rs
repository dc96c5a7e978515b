//! How the app was called: by hand, at login, or with a join link. A second start hands its own call to the first one.
//! A newcomer would join at once: a link may come from any web page, so it is only shown, and a person decides.

use tidegate_agent::Secret;

use crate::at_login::HIDDEN;
use crate::handover::{LINK_ON_STDIN, left_link};
use crate::join_text::MAX_JOIN_TEXT;

/// More words than this nobody wrote.
const MOST_WORDS: usize = 16;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Nobody asked for a window.
    pub hidden: bool,
    pub link: Option<Secret>,
    /// The link, if there is one, is not among the words of the call but on standard input.
    pub from_pipe: bool,
}

impl Call {
    /// Reads the words after the program's name. Words that mean nothing are left out: any program of this person may call.
    pub fn read(words: impl IntoIterator<Item = String>) -> Self {
        let mut call = Self::default();
        for word in words.into_iter().take(MOST_WORDS) {
            if word == HIDDEN {
                call.hidden = true;
            } else if word == LINK_ON_STDIN {
                call.from_pipe = true;
            } else if word.starts_with("tidegate:") {
                call.link = Some(Secret::from(shortened(word)));
            } else {
                tracing::info!("a word of the call meant nothing");
            }
        }
        call
    }

    /// The link, where others can see it.
    pub(crate) fn link_in_sight(&self) -> Option<&Secret> {
        self.link.as_ref().filter(|_| !self.from_pipe)
    }

    /// Reads the link that a former self has left. Only for the call of this process: another one's pipe is not here.
    pub(crate) fn take_left_link(&mut self) {
        if self.from_pipe {
            self.link = left_link(MAX_JOIN_TEXT + 1);
        }
    }
}

/// One byte more than a link may have is enough to see that it is none.
fn shortened(mut word: String) -> String {
    let end = (0..=MAX_JOIN_TEXT + 1)
        .rev()
        .find(|end| word.is_char_boundary(*end));
    if word.len() > MAX_JOIN_TEXT + 1 {
        word.truncate(end.unwrap_or_default());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Call {
        Call::read(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn a_link_and_a_flag_are_known_and_nothing_else_is() {
        let called = read(&["--hidden", "/etc/passwd", "--help", "tidegate://join?x"]);

        assert!(called.hidden);
        assert_eq!(
            called.link.as_ref().map(Secret::reveal),
            Some("tidegate://join?x")
        );
        assert_eq!(called.link_in_sight(), called.link.as_ref());
        assert_eq!(read(&[]), Call::default());
        assert_eq!(read(&["https://example.org", "tidegate"]), Call::default());
    }

    #[test]
    fn a_word_of_a_megabyte_is_not_kept() {
        let long = format!("tidegate://{}", "é".repeat(1_000_000));

        let kept = read(&[&long]).link.map(|link| link.reveal().len());

        assert!(kept.is_some_and(|len| (MAX_JOIN_TEXT..=MAX_JOIN_TEXT + 1).contains(&len)));
    }
}
