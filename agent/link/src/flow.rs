//! One direction of a copy, with its half-close: reads until the end, then shuts the writing side down.
//! No buffer is held while nothing flows; one is held while the writing side is slow, and that is the back-pressure.

use crate::{Traffic, pool::ReadBuffer};
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts bytes in both directions, seen from the laptop.
#[derive(Default)]
pub struct Meter {
    /// Towards the service.
    pub(crate) sent: AtomicU64,
    /// From the service.
    pub(crate) received: AtomicU64,
}

impl Meter {
    /// A meter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted so far.
    #[must_use]
    pub fn read(&self) -> Traffic {
        Traffic {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }

    /// Counts bytes towards the service.
    pub fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes from the service.
    pub fn add_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Which side of a flow failed.
pub(crate) enum FlowError {
    Read(io::Error),
    Write(io::Error),
}

enum State {
    Copying,
    Closing,
    Done,
}

pub(crate) struct Flow {
    state: State,
    buffer: Option<ReadBuffer>,
    filled: Range<usize>,
    unflushed: bool,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Copying,
            buffer: None,
            filled: 0..0,
            unflushed: false,
        }
    }

    /// Whether the reading side has ended and everything read was written.
    pub(crate) fn read_to_end(&self) -> bool {
        !matches!(self.state, State::Copying)
    }

    /// Ready when everything was copied and the writing side has been shut down, or either failed; ready for ever after.
    pub(crate) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        count: &AtomicU64,
    ) -> Poll<Result<(), FlowError>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let end = ready!(self.poll_step(cx, reader, writer, count));
        self.state = State::Done;
        self.buffer = None;
        Poll::Ready(end)
    }

    fn poll_step<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        count: &AtomicU64,
    ) -> Poll<Result<(), FlowError>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            match self.state {
                State::Copying => {
                    if !self.filled.is_empty() {
                        ready!(self.poll_drain(cx, writer, count))?;
                    }
                    if ready!(self.poll_fill(cx, reader, writer))? == 0 {
                        self.buffer = None;
                        self.state = State::Closing;
                    }
                }
                State::Closing => {
                    return Pin::new(writer).poll_shutdown(cx).map_err(FlowError::Write);
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_fill<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<Result<usize, FlowError>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let buffer = self.buffer.get_or_insert_with(ReadBuffer::take);
        let mut into = ReadBuf::new(buffer);
        if Pin::new(reader)
            .poll_read(cx, &mut into)
            .map_err(FlowError::Read)?
            .is_pending()
        {
            self.buffer = None;
            if self.unflushed {
                ready!(Pin::new(writer).poll_flush(cx)).map_err(FlowError::Write)?;
                self.unflushed = false;
            }
            return Poll::Pending;
        }
        self.filled = 0..into.filled().len();
        Poll::Ready(Ok(self.filled.len()))
    }

    fn poll_drain<W>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
        count: &AtomicU64,
    ) -> Poll<Result<(), FlowError>>
    where
        W: AsyncWrite + Unpin,
    {
        while let Some(buffer) = self.buffer.as_ref().filter(|_| !self.filled.is_empty()) {
            let bytes = &buffer[self.filled.clone()];
            let n =
                ready!(Pin::new(&mut *writer).poll_write(cx, bytes)).map_err(FlowError::Write)?;
            if n == 0 {
                return Poll::Ready(Err(FlowError::Write(io::ErrorKind::WriteZero.into())));
            }
            self.filled.start += n;
            self.unflushed = true;
            count.fetch_add(n as u64, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}
