//! Problems as a program hears them in PostgreSQL's own protocol: the one place where they become its FATAL.
//! A refusal comes before there is a session, an ending after: programs tell them apart by the class of the error.

use tidegate_postgres::Report;
use tidegate_proto::problem::Problem;
use tidegate_proto::words::words;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::close;

/// Why there is no session.
#[must_use]
pub fn refusing(problem: &Problem) -> Vec<u8> {
    let words = words(problem);
    Report::refusing(problem.code.number(), &words.cause, &words.next).encode()
}

/// Why a session ends.
#[must_use]
pub fn ending(problem: &Problem) -> Vec<u8> {
    let words = words(problem);
    Report::ending(problem.code.number(), &words.cause, &words.next).encode()
}

/// Says `last` to a program whose session has not begun, and closes with care.
pub async fn say(mut program: impl AsyncRead + AsyncWrite + Unpin, last: &[u8]) {
    if program.write_all(last).await.is_ok() {
        close(program).await;
    }
}
