//! A stream of typed messages as it passes, in pieces: a header, parts of a body, its end.
//! Keeps five bytes. What announces a length below four ends it: nothing after that is known, and PostgreSQL hangs up.

use crate::message::HEADER;

/// Something of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Begin { tag: u8, length: u64 },
    Part(&'a [u8]),
    End,
}

/// Where in the stream we are.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    header: [u8; HEADER],
    have: usize,
    left: u64,
    inside: bool,
    lost: bool,
}

impl Pieces {
    /// Whether no message can be told from another any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// The next piece of `bytes`, which are shortened by it; `None` when they are used up.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        if self.lost {
            return None;
        }
        match self.inside {
            true => self.body(bytes),
            false => self.head(bytes),
        }
    }

    fn body<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        if self.left == 0 {
            self.inside = false;
            return Some(Piece::End);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (part, rest) = bytes.split_at(most.min(bytes.len()));
        *bytes = rest;
        self.left -= part.len() as u64;
        (!part.is_empty()).then_some(Piece::Part(part))
    }

    fn head<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        let (part, rest) = bytes.split_at((HEADER - self.have).min(bytes.len()));
        self.header[self.have..self.have + part.len()].copy_from_slice(part);
        self.have += part.len();
        *bytes = rest;
        if self.have < HEADER {
            return None;
        }
        let [tag, a, b, c, d] = self.header;
        let announced = u64::from(u32::from_be_bytes([a, b, c, d]));
        self.have = 0;
        let Some(length) = announced.checked_sub(4) else {
            self.lost = true;
            return None;
        };
        (self.left, self.inside) = (length, true);
        Some(Piece::Begin { tag, length })
    }
}
