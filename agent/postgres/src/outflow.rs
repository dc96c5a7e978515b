//! Server to client: messages as they come, until somebody has a last word.
//! The last word waits for the end of the message under way; it is never put inside of one. A short message that is cut off
//! is kept until its rest comes, so that a way that breaks does not leave one under way for ever.

use crate::boundary::Boundary;
use crate::rest::Rest;
use crate::room::{KEPT, Room};

/// One connection's stream from the server to the client.
///
/// Loop: write [`Outflow::pending`] while there is some; then stop if [`Outflow::is_over`]; else read into
/// [`Outflow::space`]. When the server ends in good order, `server_ended` and the same loop without the reading; then, or when
/// it broke, `finish_with` and the same.
#[derive(Debug)]
pub struct Outflow {
    room: Room,
    /// Of what is in the room, this many bytes may go: up to the end of a message, if the one behind it is short.
    whole: usize,
    boundary: Boundary,
    ready: u64,
    last: u8,
    rest: Rest,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Flowing,
    /// Up to the end of the message under way, then these words.
    Finishing(Vec<u8>),
    Speaking {
        words: Vec<u8>,
        said: usize,
    },
    Over {
        spoke: bool,
    },
}

impl Outflow {
    /// A stream whose first bytes were read already. They begin at a message's beginning.
    #[must_use]
    pub fn starting_with(bytes: Vec<u8>) -> Self {
        let boundary = Boundary::default();
        Self {
            whole: boundary.whole(&bytes, KEPT),
            room: Room::holding(bytes),
            boundary,
            ready: 0,
            last: 0,
            rest: Rest::default(),
            mode: Mode::Flowing,
        }
    }

    /// From now on this hears what the server says about itself.
    pub fn tell(&mut self, rest: Rest) {
        self.rest = rest;
    }

    /// What to write to the client now.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        match &self.mode {
            Mode::Flowing => &self.room.pending()[..self.whole],
            Mode::Finishing(_) => {
                let pending = self.room.pending();
                &pending[..self.boundary.owed().min(pending.len())]
            }
            Mode::Speaking { words, said } => &words[*said..],
            Mode::Over { .. } => &[],
        }
    }

    /// Where to read what the server says; empty when there is something to write, or nothing to read any more.
    pub fn space(&mut self) -> &mut [u8] {
        match &self.mode {
            Mode::Flowing if self.whole > 0 => &mut [],
            Mode::Flowing => self.room.space_behind(),
            Mode::Finishing(_) => self.room.space(self.boundary.owed()),
            Mode::Speaking { .. } | Mode::Over { .. } => &mut [],
        }
    }

    /// `count` bytes were read into the space.
    pub fn filled(&mut self, count: usize) {
        self.room.filled(count);
        self.whole = self.boundary.whole(self.room.pending(), KEPT);
    }

    /// The server closed in good order: what it cut off itself is passed on as it is.
    pub fn server_ended(&mut self) {
        self.whole = self.room.pending().len();
    }

    /// `count` bytes of the pending ones reached the client's socket.
    pub fn written(&mut self, count: usize) {
        match &mut self.mode {
            Mode::Flowing | Mode::Finishing(_) => self.passed_on(count),
            Mode::Speaking { words, said } => {
                *said = (*said + count).min(words.len());
                if *said == words.len() {
                    self.mode = Mode::Over { spoke: true };
                }
            }
            Mode::Over { .. } => {}
        }
    }

    /// Ends the stream with `words` (whole messages) as soon as the message under way is complete.
    /// The first reason wins: later words are dropped.
    pub fn finish_with(&mut self, words: Vec<u8>) {
        if matches!(self.mode, Mode::Flowing) {
            self.mode = Mode::Finishing(words);
            self.speak_if_possible();
        }
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.mode, Mode::Over { .. })
    }

    /// Whether the last words were all written.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        matches!(self.mode, Mode::Over { spoke: true })
    }

    /// How many `ReadyForQuery` have passed.
    #[must_use]
    pub fn ready_for_query(&self) -> u64 {
        self.ready
    }

    /// Whether the server's own last message so far was an error: at the end of a stream, its FATAL.
    #[must_use]
    pub fn ends_with_an_error(&self) -> bool {
        self.last == b'E'
    }

    fn passed_on(&mut self, count: usize) {
        let passed = &self.room.pending()[..count.min(self.room.pending().len())];
        let (ready, last, rest) = (&mut self.ready, &mut self.last, &self.rest);
        self.boundary.look(passed, |tag, first| match (tag, first) {
            (b'Z', Some(status)) => rest.answered(*ready, status),
            (_, Some(_)) => {}
            (tag, None) => {
                *ready += u64::from(tag == b'Z');
                *last = tag;
            }
        });
        self.room.written(count);
        self.whole = self.whole.saturating_sub(count);
        self.speak_if_possible();
    }

    fn speak_if_possible(&mut self) {
        let Mode::Finishing(words) = &mut self.mode else {
            return;
        };
        if self.boundary.is_between_messages() {
            let words = std::mem::take(words);
            self.mode = if words.is_empty() {
                Mode::Over { spoke: true }
            } else {
                Mode::Speaking { words, said: 0 }
            };
        } else if self.boundary.owed() == 0 {
            self.mode = Mode::Over { spoke: false };
        }
    }
}

#[cfg(test)]
#[path = "tests/outflow.rs"]
mod tests;
