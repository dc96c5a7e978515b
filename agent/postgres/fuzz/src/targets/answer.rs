//! A database's answer to a question of the outlet's own.
//! It is the same however it is cut, and ends in rows or an error.

use tidegate_postgres::{Answer, AnswerFault, Row};

pub(crate) fn holds(data: &[u8]) {
    let whole = told(data, data.len().max(1));

    assert_eq!(whole, told(data, 1));
    assert_eq!(whole, told(data, 7));
}

fn told(data: &[u8], step: usize) -> Result<Option<Vec<Row>>, AnswerFault> {
    let mut answer = Answer::default();
    for piece in data.chunks(step) {
        if let Some(rows) = answer.handle_input(piece)? {
            return Ok(Some(rows));
        }
    }
    Ok(None)
}
