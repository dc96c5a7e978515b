//! Two ends in memory: who may close, break or fall silent, and what the other one still hears.
#![allow(clippy::unwrap_used)]

use super::*;
use std::future::{pending, ready};
use tokio::io::{DuplexStream, duplex};

/// `ReadyForQuery`, and a row that was announced longer than it is yet.
const READY: &[u8] = b"Z\0\0\0\x05I";
const HALF_A_ROW: &[u8] = b"D\0\0\0\x0bab";

fn session() -> (
    Carry<DuplexStream, DuplexStream>,
    DuplexStream,
    DuplexStream,
) {
    let (program, at_program) = duplex(1 << 16);
    let (server, at_server) = duplex(1 << 16);
    let carry = Carry {
        program,
        server,
        inflow: Inflow::starting_with(Vec::new()),
        outflow: Outflow::starting_with(Vec::new()),
    };
    (carry, at_program, at_server)
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
    let (carried, rest) = (carry.run(ready("why")).await, at_server.write_all(b"cdefg"));
    assert!(matches!(carried, Carried::Ended("why")));
    rest.await.unwrap();

    carry.finish(b"the end".to_vec()).await;

    drop(carry);
    assert_eq!(
        heard(at_program).await,
        [HALF_A_ROW, b"cdefg", b"the end"].concat()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_gets_no_words_put_into_it() {
    let (mut carry, at_program, mut at_server) = session();
    at_server.write_all(HALF_A_ROW).await.unwrap();
    half_a_row_passes(&mut carry).await;

    carry.finish(b"the end".to_vec()).await;

    drop(carry);
    assert_eq!(heard(at_program).await, HALF_A_ROW);
    drop(at_server);
}

/// Takes nothing, and is silent.
struct Deaf;

impl AsyncRead for Deaf {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Pending
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_and_says_nothing_is_given_up() {
    let (
        Carry {
            program,
            inflow,
            outflow,
            ..
        },
        mut at_program,
        _,
    ) = session();
    let mut carry = Carry {
        program,
        server: Deaf,
        inflow,
        outflow,
    };
    at_program.write_all(b"Q\0\0\0\x05\0").await.unwrap();

    let carried = carry.run(pending::<()>()).await;

    assert!(
        matches!(&carried, Carried::ServerBroke(error) if error.kind() == io::ErrorKind::BrokenPipe),
        "{carried:?}"
    );
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
