//! The sending direction of a portal, shared by the stream and its controls: what is sealed stays in order.
//! Nothing here waits while it holds the lock.

use crate::{PortalError, RecordWriter, pool};
use std::{
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use tidegate_proto::frame::{Frame, MAX_DATA};
use tokio::net::TcpStream;

/// What is said to whoever still holds a portal whose circuit has gone on.
const OVER: PortalError = PortalError::Withdrawn(0);

pub(super) struct Out {
    /// Gone once the circuit was handed back: what is left of this portal cannot say anything on it any more.
    writer: Option<RecordWriter>,
    /// Payload bytes sealed so far.
    offset: u64,
    fin: bool,
    ended: Option<PortalError>,
    /// The socket takes no more. Not the end yet: the reader may still find the peer's reason.
    broken: Option<PortalError>,
    /// A ping's answer, sent with whatever goes out next when the socket is full now.
    pong: Option<u64>,
    reading: Option<Waker>,
    writing: Option<Waker>,
}

impl Out {
    pub(super) fn new(writer: RecordWriter) -> Self {
        Self {
            writer: Some(writer),
            offset: 0,
            fin: false,
            ended: None,
            broken: None,
            pong: None,
            reading: None,
            writing: None,
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.offset
    }

    pub(super) fn ended(&self) -> Option<PortalError> {
        self.ended
    }

    /// Whether FIN has been sealed and the socket has taken everything.
    pub(super) fn is_through(&mut self) -> bool {
        self.fin && self.ended.is_none() && self.try_flush() == Ok(true)
    }

    /// The writer, for the circuit's next user; none once somebody has said why it ends, which must not be sent to the next
    /// one. A ping that was not answered yet stays unanswered.
    pub(super) fn give_up_writer(&mut self) -> Option<RecordWriter> {
        match self.ended {
            Some(_) => None,
            None => self.writer.take(),
        }
    }

    pub(super) fn take_back_writer(&mut self, writer: RecordWriter) {
        self.writer = Some(writer);
    }

    /// The connection underneath, while it is this portal's.
    pub(super) fn tcp(&self) -> Result<Arc<TcpStream>, PortalError> {
        self.alive()?;
        self.writer().map(RecordWriter::tcp)
    }

    fn writer(&self) -> Result<&RecordWriter, PortalError> {
        self.writer.as_ref().ok_or(OVER)
    }

    fn writer_mut(&mut self) -> Result<&mut RecordWriter, PortalError> {
        self.writer.as_mut().ok_or(OVER)
    }

    /// The end, if there is one; else the reading task is woken when there is.
    pub(super) fn check_in(&mut self, cx: &Context<'_>) -> Option<PortalError> {
        remember(&mut self.reading, cx);
        self.ended
    }

    /// Ends the portal; the first reason stays. Wakes whoever waits on it.
    pub(super) fn end(&mut self, error: PortalError) -> PortalError {
        let first = *self.ended.get_or_insert(error);
        self.reading
            .take()
            .into_iter()
            .chain(self.writing.take())
            .for_each(Waker::wake);
        first
    }

    /// Says RESET if the socket takes it, and ends the portal.
    pub(super) fn reset(&mut self, code: u16) {
        if self.ended.is_none() {
            let told = self
                .push(&Frame::Reset { code })
                .and_then(|()| Ok(self.writer_mut()?.try_flush()?));
            let _ = told;
            self.end(self.broken.unwrap_or(PortalError::Withdrawn(code)));
        }
    }

    pub(super) fn pong(&mut self, number: u64) {
        self.pong = Some(number);
        if self.ended.is_none() && self.waiting() == 0 {
            // A failure comes up again at the next read or write.
            let _ = self
                .push_pong()
                .and_then(|()| Ok(self.writer_mut()?.try_flush()?));
        }
    }

    fn push_pong(&mut self) -> Result<(), PortalError> {
        self.pong
            .take()
            .map_or(Ok(()), |number| self.push(&Frame::Pong(number)))
    }

    fn push(&mut self, frame: &Frame<'_>) -> Result<(), PortalError> {
        Ok(self.writer_mut()?.push(|out| frame.encode_into(out))?)
    }

    fn waiting(&self) -> usize {
        self.writer.as_ref().map_or(0, RecordWriter::waiting)
    }

    /// Seals one control frame behind the data, unless too much waits already: whether it was taken.
    pub(super) fn try_control(&mut self, frame: &Frame<'_>) -> Result<bool, PortalError> {
        self.alive()?;
        if self.waiting() >= pool::SIZE {
            return self.try_flush().map(|_| false);
        }
        self.push(frame)?;
        Ok(true)
    }

    /// Gives the socket what it takes; whether everything is gone.
    pub(super) fn try_flush(&mut self) -> Result<bool, PortalError> {
        self.alive()?;
        let flushed = self.writer_mut()?.try_flush();
        flushed.map_err(|error| *self.broken.insert(error.into()))
    }

    fn alive(&self) -> Result<(), PortalError> {
        self.ended.map_or(Ok(()), Err)
    }

    /// Seals as much of `bytes` as one write to the socket should carry.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, PortalError>> {
        ready!(self.poll_flush(cx))?;
        if self.fin {
            return Poll::Ready(Err(OVER));
        }
        let most = 4 * MAX_DATA;
        let taken = &bytes[..bytes.len().min(most)];
        for bytes in taken.chunks(MAX_DATA) {
            self.push(&Frame::Data {
                offset: self.offset,
                bytes,
            })?;
            self.offset += bytes.len() as u64;
        }
        self.try_flush()?;
        Poll::Ready(Ok(taken.len()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        remember(&mut self.writing, cx);
        self.alive()?;
        self.push_pong()?;
        let flushed = ready!(self.writer_mut()?.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| *self.broken.insert(error.into())))
    }

    /// Seals FIN once, and flushes.
    pub(super) fn poll_fin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        self.alive()?;
        if !self.fin {
            self.push(&Frame::Fin {
                offset: self.offset,
            })?;
            self.fin = true;
        }
        self.poll_flush(cx)
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}
