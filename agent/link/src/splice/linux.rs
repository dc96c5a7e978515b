//! What a relay does on Linux: bytes that it cannot read anyway move from socket to socket inside the kernel, by splice(2).
//! A pipe lies between for as long as bytes are in flight, and pipes are few: who gets none copies. What is small is copied
//! too, since two splices cost more than that.

mod pipes;

use crate::{
    Meter,
    flow::FlowError,
    pipe::both,
    pool::{ReadBuffer, SIZE},
};
use pipes::Pipe;
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

/// What is read in one go before it is worth a pipe.
const SMALL: usize = 4 * 1024;

/// Moves bytes between two connections until both directions have ended; otherwise as [`crate::join`].
///
/// # Errors
/// The first failure of either side.
pub async fn join_in_kernel(a: &mut TcpStream, b: &mut TcpStream, meter: &Meter) -> io::Result<()> {
    let (mut there, mut back) = (Way::new(), Way::new());
    both(|cx| {
        let there = there.poll(cx, a, b, &meter.sent);
        (there, back.poll(cx, b, a, &meter.received))
    })
    .await
}

enum State {
    Moving,
    Closing,
    Done,
}

/// One direction. Idle, it holds nothing.
struct Way {
    state: State,
    /// What was read and not written yet, in one of the two.
    buffer: Option<(ReadBuffer, Range<usize>)>,
    pipe: Option<Pipe>,
    /// The last time more came than is worth a copy.
    flows: bool,
}

impl Way {
    fn new() -> Self {
        Self {
            state: State::Moving,
            buffer: None,
            pipe: None,
            flows: false,
        }
    }

    /// Ready when everything was moved and the writing side has been shut down, or either failed; ready for ever after.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        count: &AtomicU64,
    ) -> Poll<Result<(), FlowError>> {
        let end = ready!(self.poll_step(cx, from, to, count));
        self.state = State::Done;
        (self.buffer, self.pipe) = (None, None);
        Poll::Ready(end)
    }

    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        count: &AtomicU64,
    ) -> Poll<Result<(), FlowError>> {
        loop {
            match self.state {
                State::Moving => {
                    ready!(self.poll_drain(cx, to, count)).map_err(FlowError::Write)?;
                    let filled = self.poll_fill(cx, from).map_err(FlowError::Read);
                    if filled.is_pending() {
                        (self.buffer, self.pipe) = (None, None);
                    }
                    if ready!(filled)? == 0 {
                        self.state = State::Closing;
                    }
                }
                State::Closing => {
                    return Pin::new(to).poll_shutdown(cx).map_err(FlowError::Write);
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Until nothing is held.
    fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut TcpStream,
        count: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        if let Some((buffer, filled)) = &mut self.buffer {
            while filled.start < filled.end {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &buffer[filled.clone()]))?;
                filled.start += written;
                add(count, written);
            }
        }
        if let Some(pipe) = &mut self.pipe {
            while pipe.holds() > 0 {
                ready!(to.poll_write_ready(cx))?;
                match to.try_io(Interest::WRITABLE, || pipe.pour(to)) {
                    Ok(poured) => add(count, poured),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How much came; nothing at the end. Only when nothing is held.
    fn poll_fill(&mut self, cx: &mut Context<'_>, from: &mut TcpStream) -> Poll<io::Result<usize>> {
        if !self.flows {
            self.pipe = None;
            return self.poll_copy(cx, from, SMALL);
        }
        if self.pipe.is_none() {
            self.pipe = Pipe::take();
        }
        let Some(pipe) = &mut self.pipe else {
            return self.poll_copy(cx, from, SIZE);
        };
        self.buffer = None;
        ready!(from.poll_read_ready(cx))?;
        match pipe.fill(from) {
            Ok(came @ 1..) => {
                self.flows = came > SMALL;
                Poll::Ready(Ok(came))
            }
            // A read decides whether that is the end, or nothing yet: at an urgent byte splice says either, and means neither.
            Ok(0) => self.poll_copy(cx, from, SMALL),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.poll_copy(cx, from, SMALL)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let (buffer, filled) = self
            .buffer
            .get_or_insert_with(|| (ReadBuffer::take(), 0..0));
        let mut room = ReadBuf::new(&mut buffer[..most]);
        ready!(Pin::new(from).poll_read(cx, &mut room))?;
        let came = room.filled().len();
        *filled = 0..came;
        self.flows = came >= SMALL;
        Poll::Ready(Ok(came))
    }
}

fn add(count: &AtomicU64, bytes: usize) {
    count.fetch_add(bytes as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Nobody of ours sends such bytes; whoever is on the way can.
    #[tokio::test]
    async fn an_urgent_byte_is_neither_the_end_nor_a_silence() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap());
        let (near, far) = tokio::join!(near, listener.accept());
        let (near, mut from) = (near.unwrap(), far.unwrap().0);
        let (mut to, mut heard) = {
            let near = TcpStream::connect(listener.local_addr().unwrap());
            let (near, far) = tokio::join!(near, listener.accept());
            (near.unwrap(), far.unwrap().0)
        };
        let half = vec![7; 10_000];
        let mut near = near;
        near.write_all(&half).await.unwrap();
        let socket = socket2::SockRef::from(&near);
        assert_eq!(socket.send_out_of_band(b"!").unwrap(), 1);
        near.write_all(&half).await.unwrap();
        near.shutdown().await.unwrap();
        let mut way = Way::new();
        way.flows = true;

        let count = AtomicU64::new(0);
        let moved = std::future::poll_fn(|cx| way.poll(cx, &mut from, &mut to, &count));
        let mut all = Vec::new();
        let (moved, read) = tokio::join!(moved, heard.read_to_end(&mut all));

        assert!(moved.is_ok());
        assert_eq!(read.unwrap(), 20_000);
    }
}
