//! What a portal's stream and its controls share, under one lock: the sending direction, and the account of the other.
//! What is sealed stays in order, and nothing here waits while it holds the lock.

mod kept;

use super::{
    NO_REASON,
    intake::Intake,
    replay::{FIRST_LIMIT, Piece, Replay},
};
use crate::{PortalError, RecordWriter, pool};
pub(super) use kept::Kept;
pub use kept::Line;
use std::{
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use tidegate_proto::frame::{Frame, MAX_DATA};
use tokio::{net::TcpStream, sync::oneshot};

/// What is said to whoever still holds a portal whose circuit has gone on.
const OVER: PortalError = PortalError::Withdrawn(NO_REASON);
/// Most payload of one write to the socket.
const AT_ONCE: usize = 4 * MAX_DATA;
/// So many bytes that wait already leave in the same write as the data behind them: a frame or two, never a slow socket's queue.
const BESIDE: usize = 256;

pub(super) struct Out {
    /// Gone once the circuit was handed back: what is left of this portal cannot say anything on it any more.
    /// Gone too while a portal that can be resumed has no line.
    writer: Option<RecordWriter>,
    is_home: bool,
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
    /// Is told when payload goes out, once.
    speaking: Option<oneshot::Sender<()>>,
    pub(super) intake: Intake,
    /// What the peer may not have, if the portal outlives its line.
    pub(super) kept: Option<Kept>,
}

impl Out {
    pub(super) fn new(writer: RecordWriter, kept: Option<Kept>) -> Self {
        Self {
            writer: Some(writer),
            is_home: false,
            offset: 0,
            fin: false,
            ended: None,
            broken: None,
            pong: None,
            reading: None,
            writing: None,
            speaking: None,
            intake: match kept {
                Some(_) => Intake::new(),
                None => Intake::unbounded(),
            },
            kept,
        }
    }

    /// So many bytes of payload go out.
    fn spoke(&mut self, bytes: usize) {
        self.offset += bytes as u64;
        if let Some(speaking) = self.speaking.take() {
            // Whoever asked may have gone.
            let _ = speaking.send(());
        }
    }

    /// Resolves when payload goes out, or the portal has gone. Only the last who asked is told.
    pub(super) fn when_spoken(&mut self) -> oneshot::Receiver<()> {
        let (speaking, spoken) = oneshot::channel();
        self.speaking = Some(speaking);
        spoken
    }

    pub(super) fn sent(&self) -> u64 {
        self.offset
    }

    pub(super) fn ended(&self) -> Option<PortalError> {
        self.ended
    }

    pub(super) fn has_said_fin(&self) -> bool {
        self.fin
    }

    /// Whether FIN has been sealed and the socket has taken everything; if it may be asked for again, whether the peer has it too.
    pub(super) fn is_through(&mut self) -> bool {
        let is_known = match &self.kept {
            None => true,
            Some(kept) => kept.replay.is_over() && self.intake.is_all_said(),
        };
        self.fin && is_known && self.ended.is_none() && self.try_flush() == Ok(true)
    }

    /// The writer, for the circuit's next user; none once somebody has said why it ends, which must not be sent to the next
    /// one. A ping that was not answered yet stays unanswered.
    pub(super) fn give_up_writer(&mut self) -> Option<RecordWriter> {
        match self.ended {
            Some(_) => None,
            None => {
                self.is_home = true;
                self.writer.take()
            }
        }
    }

    pub(super) fn take_back_writer(&mut self, writer: RecordWriter) {
        self.is_home = false;
        self.writer = Some(writer);
    }

    /// The connection underneath, while it is this portal's.
    pub(super) fn tcp(&self) -> Result<Arc<TcpStream>, PortalError> {
        self.alive()?;
        self.writer().map(RecordWriter::tcp)
    }

    fn writer(&self) -> Result<&RecordWriter, PortalError> {
        self.writer.as_ref().ok_or(self.without_line())
    }

    fn writer_mut(&mut self) -> Result<&mut RecordWriter, PortalError> {
        let without = self.without_line();
        self.writer.as_mut().ok_or(without)
    }

    fn without_line(&self) -> PortalError {
        if self.is_home {
            OVER
        } else {
            PortalError::CircuitLost
        }
    }

    /// The end, if there is one; else the reading task is woken when there is.
    pub(super) fn check_in(&mut self, cx: &Context<'_>) -> Option<PortalError> {
        remember(&mut self.reading, cx);
        self.ended
    }

    /// Ends the portal; the first reason stays. Wakes whoever waits on it.
    pub(super) fn end(&mut self, error: PortalError) -> PortalError {
        let first = *self.ended.get_or_insert(error);
        self.stands(Line::Over);
        self.wake();
        first
    }

    /// Both tasks look again.
    pub(super) fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }

    pub(super) fn wake_reader(&mut self) {
        self.reading.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writing.take().into_iter().for_each(Waker::wake);
    }

    /// Ends the portal for what its line brought. A peer that did not end it itself is told so another way.
    pub(super) fn fail(&mut self, error: PortalError) -> PortalError {
        if self.ended.is_none() && !matches!(error, PortalError::Reset(_)) {
            self.unheard(NO_REASON);
        }
        self.end(error)
    }

    /// Says RESET if the socket takes it, and ends the portal.
    pub(super) fn reset(&mut self, code: u16) {
        if self.ended.is_none() {
            let told = self
                .push(&Frame::Reset { code })
                .and_then(|()| Ok(self.writer_mut()?.try_flush()?));
            if told != Ok(true) {
                self.unheard(code);
            }
            // One that can be resumed was not ended by its line.
            let broken = self.broken.filter(|_| self.kept.is_none());
            self.end(broken.unwrap_or(PortalError::Withdrawn(code)));
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

    /// Seals as much of `bytes` as one write to the socket should carry. Of what is kept for a resume, only so much fits:
    /// then whoever writes must see to it that acknowledgements are read.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, PortalError>> {
        if self.kept.is_some() {
            return self.poll_kept(cx, bytes);
        }
        if self.waiting() > BESIDE {
            ready!(self.poll_flush(cx))?;
        }
        remember(&mut self.writing, cx);
        self.alive()?;
        if self.fin {
            return Poll::Ready(Err(OVER));
        }
        self.push_pong()?;
        let taken = &bytes[..bytes.len().min(AT_ONCE)];
        for bytes in taken.chunks(MAX_DATA) {
            self.push(&Frame::Data {
                offset: self.offset,
                bytes,
            })?;
            self.spoke(bytes.len());
        }
        self.try_flush()?;
        Poll::Ready(Ok(taken.len()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        remember(&mut self.writing, cx);
        self.alive()?;
        if self.kept.is_some() {
            ready!(self.poll_line(cx))?;
            return match self.writer {
                Some(_) => Poll::Ready(Ok(())),
                None => Poll::Pending,
            };
        }
        self.push_pong()?;
        let flushed = ready!(self.writer_mut()?.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| *self.broken.insert(error.into())))
    }

    /// Seals FIN once, and flushes.
    pub(super) fn poll_fin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        self.alive()?;
        if !self.fin {
            self.fin = true;
            match &mut self.kept {
                Some(kept) => {
                    kept.replay.finish();
                    // Whoever waits for another line may wait for less now: only acknowledgements can be missing.
                    kept.stands.send_modify(|_| ());
                }
                None => self.push(&Frame::Fin {
                    offset: self.offset,
                })?,
            }
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
