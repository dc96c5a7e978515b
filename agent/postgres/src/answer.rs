//! What a server answers to one simple query of our own: rows of text, or the code it refuses with.
//! Only for questions whose answers are small; what programs ask is never read here.

use crate::message::{MessageError, first};
use crate::report::{SqlState, code_of};

/// The longest answer, in bytes.
const LONGEST: usize = 1024 * 1024;

/// One row: a text for each column, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    #[error("the database refused with SQLSTATE {0}")]
    Refused(SqlState),
    #[error("the database's answer is longer than was asked for")]
    TooLong,
    #[error("the database's answer cannot be read")]
    Nonsense,
}

impl From<MessageError> for AnswerFault {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::TooShort => Self::Nonsense,
            MessageError::TooLong => Self::TooLong,
        }
    }
}

/// The answer to one simple query, as it comes in.
#[derive(Debug, Default)]
pub struct Answer {
    buffer: Vec<u8>,
    taken: usize,
    rows: Vec<Row>,
    refused: Option<SqlState>,
}

impl Answer {
    /// Takes what the server said; gives the rows of all statements once it is ready for the next query.
    ///
    /// # Errors
    /// `Refused` when a statement was, and what came before it in the same query is undone; otherwise the connection is of no
    /// more use.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<Option<Vec<Row>>, AnswerFault> {
        self.taken += bytes.len();
        if self.taken > LONGEST {
            return Err(AnswerFault::TooLong);
        }
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while let Some((message, used)) = first(&buffer[at..], LONGEST)? {
            at += used;
            match message.tag {
                b'D' => self
                    .rows
                    .push(row(message.body).ok_or(AnswerFault::Nonsense)?),
                b'E' => self.refused = self.refused.or(Some(code_of(message.body))),
                b'Z' => {
                    let refused = self
                        .refused
                        .map_or(Ok(()), |code| Err(AnswerFault::Refused(code)));
                    return refused.map(|()| Some(std::mem::take(&mut self.rows)));
                }
                b'A' | b'C' | b'I' | b'N' | b'S' | b'T' => {}
                _ => return Err(AnswerFault::Nonsense),
            }
        }
        self.buffer = buffer[at..].to_vec();
        Ok(None)
    }

    /// What a server said that then closed the connection without being ready again.
    #[must_use]
    pub fn refused(&self) -> Option<SqlState> {
        self.refused
    }
}

fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut row = Row::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        // -1 is NULL.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            continue;
        };
        let (value, after) = rest.split_at_checked(length)?;
        row.push(Some(String::from_utf8(value.to_vec()).ok()?));
        rest = after;
    }
    rest.is_empty().then_some(row)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::push;

    fn answer(messages: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, body) in messages {
            push(&mut out, *tag, |into| into.extend_from_slice(body));
        }
        out
    }

    const ROW: &[u8] = b"\0\x02\0\0\0\x03abc\xff\xff\xff\xff";

    #[test]
    fn reads_rows_however_they_are_cut() {
        let whole = answer(&[
            (b'T', b"x"),
            (b'D', ROW),
            (b'N', b""),
            (b'C', b"SELECT 1\0"),
            (b'Z', b"I"),
        ]);
        let row = vec![Some("abc".to_owned()), None];

        for cut in 0..whole.len() {
            let mut reading = Answer::default();
            assert_eq!(reading.handle_input(&whole[..cut]), Ok(None));
            let rows = reading.handle_input(&whole[cut..]).unwrap();
            assert_eq!(rows, Some(vec![row.clone()]), "cut at {cut}");
        }
    }

    #[test]
    fn a_refusal_is_told_when_the_server_is_ready_again() {
        let mut reading = Answer::default();

        let before = reading.handle_input(&answer(&[(b'D', ROW), (b'E', b"SERROR\0C42501\0\0")]));
        let after = reading.handle_input(&answer(&[(b'Z', b"I")]));

        assert_eq!(before, Ok(None));
        assert_eq!(reading.refused().unwrap().as_str(), "42501");
        assert_eq!(
            after,
            Err(AnswerFault::Refused(SqlState::parse(b"42501").unwrap()))
        );
    }

    #[test]
    fn what_is_no_answer_is_no_answer() {
        for (messages, fault) in [
            (
                &[(b'D', &b"\0\x01\0\0\0\x09abc"[..])][..],
                AnswerFault::Nonsense,
            ),
            (&[(b'D', b"\0\x01\0\0\0\x01abc")], AnswerFault::Nonsense),
            (&[(b'D', b"\0\x01\0\0\0\x01\xff")], AnswerFault::Nonsense),
            (&[(b'G', b"")], AnswerFault::Nonsense),
        ] {
            let said = Answer::default().handle_input(&answer(messages));
            assert_eq!(said, Err(fault), "{messages:?}");
        }
        let endless = Answer::default().handle_input(b"D\x7f\xff\xff\xff");
        assert_eq!(endless, Err(AnswerFault::TooLong));
        let much = Answer::default().handle_input(&vec![0; LONGEST + 1]);
        assert_eq!(much, Err(AnswerFault::TooLong));
    }
}
