//! What is kept of a server's message: of a CommandComplete its count and what it did to names, of an ErrorResponse its code,
//! of a ReadyForQuery its status, of all others the header.
//! Rows are counted by their headers and never looked into.

use super::pieces::{Piece, Pieces};
use crate::report::{SqlState, code_of};

/// Enough for a command's tag, and for an error's severity and code, which come first; in bytes.
const KEPT: usize = 128;

/// One message of the server, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A CommandComplete with the rows it names.
    Complete(Option<u64>, Command),
    /// Whether it is in no transaction.
    Ready {
        idle: bool,
    },
    Error(SqlState),
    Row,
    Other(u8),
}

/// What SQL has done to the names of the protocol, which it can use too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Names of prepared statements are free again.
    Deallocate,
    Prepare,
    Declare,
    Rollback,
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    pieces: Pieces,
    tag: u8,
    body: Vec<u8>,
}

impl Answers {
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Answer> {
        loop {
            match self.pieces.next(bytes)? {
                Piece::Begin { tag, .. } => {
                    self.tag = tag;
                    self.body.clear();
                }
                Piece::Part(part) if matches!(self.tag, b'C' | b'E' | b'Z') => {
                    let room = KEPT - self.body.len();
                    self.body.extend_from_slice(&part[..part.len().min(room)]);
                }
                Piece::Part(_) => {}
                Piece::End => return Some(self.whole()),
            }
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.pieces.is_lost()
    }

    fn whole(&self) -> Answer {
        match self.tag {
            b'C' => Answer::Complete(rows(&self.body), command(&self.body)),
            b'Z' => Answer::Ready {
                idle: self.body.first() == Some(&b'I'),
            },
            b'E' => Answer::Error(code_of(&self.body)),
            b'D' => Answer::Row,
            tag => Answer::Other(tag),
        }
    }
}

fn command(tag: &[u8]) -> Command {
    match tag.split(|byte| *byte == 0).next() {
        Some(b"DEALLOCATE" | b"DEALLOCATE ALL" | b"DISCARD ALL") => Command::Deallocate,
        Some(b"PREPARE") => Command::Prepare,
        Some(b"DECLARE CURSOR") => Command::Declare,
        Some(b"ROLLBACK") => Command::Rollback,
        _ => Command::Other,
    }
}

/// `SELECT 5`, `INSERT 0 5`: the last word, where it is a number.
fn rows(tag: &[u8]) -> Option<u64> {
    let text = tag.split(|byte| *byte == 0).next()?;
    let last = text.rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(last).ok()?.parse().ok()
}
