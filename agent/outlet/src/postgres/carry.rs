//! Bytes both ways between a portal and a database, until one of them ends or somebody ends both.
//! Each direction closes by itself: an answer that comes after the client's last word is not lost.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tidegate_postgres::{Inflow, Outflow};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::select;
use tokio::time::timeout;

/// How long a message under way may take to end once the connection is over.
const FINISH_LIMIT: Duration = Duration::from_millis(500);
/// How long the other end may take to read its last words.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// How it came to an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried<Why> {
    /// The database closed, and everything it said has been passed on.
    DatabaseClosed,
    /// The client, or the way to it, broke.
    ClientLost,
    Ended(Why),
}

/// Which end of a copy broke.
enum Broken {
    Client,
    Database,
}

/// The two ends, and what is between them.
pub(super) struct Carry<C, D> {
    pub(super) client: C,
    pub(super) database: D,
    pub(super) inflow: Inflow,
    pub(super) outflow: Outflow,
}

impl<C, D> Carry<C, D>
where
    C: AsyncRead + AsyncWrite + Unpin,
    D: AsyncRead + AsyncWrite + Unpin,
{
    /// Carries until the end. The database's end stays open: what happens to its backend is the caller's to decide.
    pub(super) async fn run<Why>(&mut self, ended: impl Future<Output = Why>) -> Carried<Why> {
        let (mut from_client, mut to_client) = tokio::io::split(&mut self.client);
        let (mut from_database, mut to_database) = tokio::io::split(&mut self.database);
        let mut up = pin!(carry_up(
            &mut from_client,
            &mut to_database,
            &mut self.inflow
        ));
        let mut down = pin!(carry_down(
            &mut from_database,
            &mut to_client,
            &mut self.outflow
        ));
        let mut ended = pin!(ended);
        let mut up_is_over = false;
        loop {
            select! {
                biased;
                why = &mut ended => return Carried::Ended(why),
                result = &mut up, if !up_is_over => match result {
                    Err(Broken::Client) => return Carried::ClientLost,
                    // What the database says about its own end comes from the other direction.
                    Ok(()) | Err(Broken::Database) => up_is_over = true,
                },
                result = &mut down => return match result {
                    Ok(()) | Err(Broken::Database) => Carried::DatabaseClosed,
                    Err(Broken::Client) => Carried::ClientLost,
                },
            }
        }
    }

    /// Lets the message under way end, which only the database can do, and says `words`.
    pub(super) async fn finish(&mut self, words: Vec<u8>) {
        self.outflow.finish_with(words);
        let finished = carry_down(&mut self.database, &mut self.client, &mut self.outflow);
        // Out of time or broken: the client sees the connection close, which is true.
        let _ = timeout(FINISH_LIMIT, finished).await;
    }

    /// As `finish`, when the database has nothing more to say.
    pub(super) async fn finish_alone(&mut self, words: Vec<u8>) {
        self.outflow.finish_with(words);
        let finished = carry_down(tokio::io::empty(), &mut self.client, &mut self.outflow);
        let _ = timeout(FINISH_LIMIT, finished).await;
    }
}

/// Closes our direction and reads the other to its end: closing over unread bytes would reset the connection,
/// and a reset takes the last words with it.
pub(super) async fn close(client: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let closing = async {
        client.shutdown().await?;
        tokio::io::copy(client, &mut tokio::io::sink()).await
    };
    let _ = timeout(DRAIN_LIMIT, closing).await;
}

/// Client to database; closes that direction at the client's end.
async fn carry_up(
    mut client: impl AsyncRead + Unpin,
    mut database: impl AsyncWrite + Unpin,
    flow: &mut Inflow,
) -> Result<(), Broken> {
    loop {
        while !flow.pending().is_empty() {
            let count =
                wrote(database.write(flow.pending()).await).map_err(|_| Broken::Database)?;
            flow.written(count);
        }
        let read = read_on(&mut client, &mut database, flow.space()).await;
        match read.map_err(|_| Broken::Database)? {
            Ok(0) => return database.shutdown().await.map_err(|_| Broken::Database),
            Ok(count) => flow.filled(count),
            Err(_) => return Err(Broken::Client),
        }
    }
}

/// Database to client, until nothing more comes or the last words are said.
async fn carry_down(
    mut database: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    flow: &mut Outflow,
) -> Result<(), Broken> {
    loop {
        while !flow.pending().is_empty() {
            let count = wrote(client.write(flow.pending()).await).map_err(|_| Broken::Client)?;
            flow.written(count);
        }
        if flow.is_over() {
            return client.flush().await.map_err(|_| Broken::Client);
        }
        let read = read_on(&mut database, &mut client, flow.space()).await;
        match read.map_err(|_| Broken::Client)? {
            Ok(0) | Err(_) => return Err(Broken::Database),
            Ok(count) => flow.filled(count),
        }
    }
}

/// Reads; while there is nothing to read, everything written before is on its way.
async fn read_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    space: &mut [u8],
) -> Result<io::Result<usize>, io::Error> {
    let mut reading = pin!(from.read(space));
    let at_once = poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(read) = at_once.await {
        return Ok(read);
    }
    to.flush().await?;
    Ok(reading.await)
}

fn wrote(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        other => other,
    }
}
