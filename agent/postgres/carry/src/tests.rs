//! Two ends in memory: who may close, break or fall silent, and what the other one still hears.
#![allow(clippy::unwrap_used)]

use super::*;
use std::future::{pending, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use tidegate_proto::problem::Code;
use tokio::io::{DuplexStream, ReadBuf, duplex};

/// `ReadyForQuery`, and a row that was announced longer than it is yet, and longer than what is kept.
const READY: &[u8] = b"Z\0\0\0\x05I";
const HALF_A_ROW: &[u8] = b"D\0\0\x20\x06ab";
const THE_REST: &[u8] = &[b'c'; 0x2000];

fn session() -> (
    Carry<DuplexStream, DuplexStream>,
    DuplexStream,
    DuplexStream,
) {
    let (program, at_program) = duplex(1 << 16);
    let (server, at_server) = duplex(1 << 16);
    (carry(program, server), at_program, at_server)
}

fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    program: DuplexStream,
    server: S,
) -> Carry<DuplexStream, S> {
    let (inflow, outflow) = (
        Inflow::starting_with(Vec::new()),
        Outflow::starting_with(Vec::new()),
    );
    Carry::new(program, server, inflow, outflow)
}

fn the_end() -> Problem {
    Problem::new(Code::DisconnectedByYou)
}

/// Nothing ends a run but what comes from outside: time that is up leaves what was carried where it is.
async fn half_a_row_passes(carry: &mut Carry<DuplexStream, DuplexStream>) {
    let run = timeout(Duration::from_millis(1), carry.run(pending::<()>()));
    assert!(run.await.is_err());
}

async fn heard(mut end: DuplexStream) -> Vec<u8> {
    let mut heard = Vec::new();
    end.read_to_end(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn an_answer_after_the_programs_last_word_is_passed_on() {
    let (mut carry, mut at_program, mut at_server) = session();
    at_program.write_all(b"X\0\0\0\x04").await.unwrap();
    at_program.shutdown().await.unwrap();
    let server = async {
        let mut asked = Vec::new();
        at_server.read_to_end(&mut asked).await.unwrap();
        at_server.write_all(READY).await.unwrap();
        drop(at_server);
        asked
    };

    let (carried, asked) = tokio::join!(carry.run(pending::<()>()), server);

    assert!(matches!(carried, Carried::ServerEnded), "{carried:?}");
    assert_eq!(asked, b"X\0\0\0\x04");
    assert!(carry.needs_no_words());
    drop(carry);
    assert_eq!(heard(at_program).await, READY);
}

#[tokio::test(start_paused = true)]
async fn last_words_wait_for_the_end_of_a_message() {
    let (mut carry, at_program, mut at_server) = session();
    at_server.write_all(HALF_A_ROW).await.unwrap();
    half_a_row_passes(&mut carry).await;
    let (carried, rest) = (carry.run(ready("why")).await, at_server.write_all(THE_REST));
    assert!(matches!(carried, Carried::Ended("why")));
    rest.await.unwrap();

    carry.finish(&the_end()).await;

    drop(carry);
    assert_eq!(
        heard(at_program).await,
        [HALF_A_ROW, THE_REST, &ending(&the_end())].concat()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_gets_no_words_put_into_it() {
    let (mut carry, at_program, mut at_server) = session();
    at_server.write_all(HALF_A_ROW).await.unwrap();
    half_a_row_passes(&mut carry).await;

    carry.finish(&the_end()).await;

    drop(carry);
    assert_eq!(heard(at_program).await, HALF_A_ROW);
    drop(at_server);
}

/// Takes nothing; says what it has to say, and then is silent, broken or at its end.
struct Deaf {
    words: &'static [u8],
    then: Then,
}

enum Then {
    Silent,
    Ends,
    Breaks,
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.words.is_empty() {
            buffer.put_slice(std::mem::take(&mut self.words));
            return Poll::Ready(Ok(()));
        }
        match self.then {
            Then::Silent => Poll::Pending,
            Then::Ends => Poll::Ready(Ok(())),
            Then::Breaks => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server that is deaf, asked something, and how that ends; and what the program has heard once it is told why.
async fn asked_the_deaf(words: &'static [u8], then: Then) -> (Carried<()>, Vec<u8>) {
    let (program, mut at_program) = duplex(1 << 16);
    let mut carry = carry(program, Deaf { words, then });
    at_program.write_all(b"Q\0\0\0\x05\0").await.unwrap();

    let carried = carry.run(pending::<()>()).await;

    carry.finish_closed(&the_end()).await;
    drop(carry);
    (carried, heard(at_program).await)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_and_says_nothing_is_given_up() {
    let (carried, heard) = asked_the_deaf(b"", Then::Silent).await;

    assert!(
        matches!(&carried, Carried::ServerBroke(error) if error.kind() == io::ErrorKind::BrokenPipe),
        "{carried:?}"
    );
    assert_eq!(heard, ending(&the_end()));
}

/// A whole FATAL, as a server says it that ends a session.
const FATAL: &[u8] = b"E\0\0\0\x0cSFATAL\0\0";

#[tokio::test(start_paused = true)]
async fn what_a_server_that_takes_nothing_says_is_heard_and_nothing_is_said_after_it() {
    let (carried, heard) = asked_the_deaf(FATAL, Then::Ends).await;

    assert!(matches!(carried, Carried::ServerEnded), "{carried:?}");
    assert_eq!(heard, FATAL);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_is_known_by_how_it_was_read_and_its_word_stays_the_last() {
    let (carried, heard) = asked_the_deaf(FATAL, Then::Breaks).await;

    assert!(
        matches!(&carried, Carried::ServerBroke(error) if error.kind() == io::ErrorKind::ConnectionReset),
        "{carried:?}"
    );
    assert_eq!(heard, FATAL);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_other_end_but_not_for_ever() {
    let (near, mut far) = duplex(64);
    far.write_all(b"unread").await.unwrap();
    let before = Instant::now();

    close(near).await;

    assert_eq!(before.elapsed(), DRAIN_LIMIT);
    assert_eq!(heard(far).await, b"");
}

/// A simple query, and its answer.
const QUERY: &[u8] = b"Q\0\0\0\x0dselect 1\0";
const ANSWER: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

/// A session whose server has said that it is ready, and got a query if `busy`.
async fn logged_in(
    busy: bool,
) -> (
    Carry<DuplexStream, DuplexStream>,
    DuplexStream,
    DuplexStream,
) {
    let (mut carry, mut at_program, mut at_server) = session();
    at_server.write_all(READY).await.unwrap();
    if busy {
        at_program.write_all(QUERY).await.unwrap();
    }
    half_a_row_passes(&mut carry).await;
    let mut ready = [0; READY.len()];
    at_program.read_exact(&mut ready).await.unwrap();
    if busy {
        let mut asked = [0; QUERY.len()];
        at_server.read_exact(&mut asked).await.unwrap();
    }
    (carry, at_program, at_server)
}

#[tokio::test(start_paused = true)]
async fn after_the_last_call_a_running_statement_is_answered_and_the_next_is_not_begun() {
    let (mut carry, mut at_program, mut at_server) = logged_in(true).await;
    at_program.write_all(QUERY).await.unwrap();
    let server = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        at_server.write_all(ANSWER).await.unwrap();
    };

    let (out, ()) = tokio::join!(carry.run_out(pending::<()>()), server);

    assert!(out.is_none(), "{out:?}");
    carry.finish(&the_end()).await;
    drop(carry);
    let told = heard(at_program).await;
    assert!(told.starts_with(ANSWER));
    assert_eq!(told[ANSWER.len()], b'E', "and then the reason");
    assert_eq!(heard(at_server).await, b"", "the second query never came");
}

#[tokio::test(start_paused = true)]
async fn the_last_call_ends_at_once_what_is_idle_and_what_takes_too_long_at_its_limit() {
    let (mut idle, ..) = logged_in(false).await;
    assert!(idle.run_out(pending::<()>()).await.is_none());

    let (mut busy, _at_program, _at_server) = logged_in(true).await;
    let limit = tokio::time::sleep(Duration::from_secs(300));
    let out = busy.run_out(limit).await;
    assert!(matches!(out, Some(Carried::Ended(()))), "{out:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_last_call_what_was_sent_ahead_is_not_waited_for() {
    let (mut carry, mut at_program, mut at_server) = logged_in(true).await;
    at_program.write_all(&QUERY.repeat(3)).await.unwrap();
    let mut ahead = vec![0; 3 * QUERY.len()];
    tokio::select! {
        carried = carry.run(pending::<()>()) => panic!("{carried:?}"),
        read = at_server.read_exact(&mut ahead) => assert_eq!(read.unwrap(), 3 * QUERY.len()),
    }
    let server = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        at_server.write_all(ANSWER).await.unwrap();
    };

    let (out, ()) = tokio::join!(carry.run_out(pending::<()>()), server);

    assert!(out.is_none(), "the first answer is the last one: {out:?}");
    assert!(
        !carry.leaves_idle(),
        "the caller cancels what was sent ahead"
    );
}
