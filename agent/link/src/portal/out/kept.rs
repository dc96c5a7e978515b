//! The sending direction of a portal that outlives its circuits: what the line lacks, and going on with another one.
//! A line that fails is not an error here: what was written is kept, and whoever reads finds the end of the line.

use super::{AT_ONCE, FIRST_LIMIT, OVER, Out, Piece, Replay, remember};
use crate::{
    LinkError, PortalError, RecordReader, RecordWriter, portal::budget::Share, secure::Facts,
};
use socket2::SockRef;
use std::{
    net::Shutdown,
    task::{Context, Poll, ready},
};
use tidegate_proto::frame::{Frame, MAX_DATA};
use tokio::{sync::watch, time::Instant};

/// Whether something carries a portal that can be resumed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Up,
    /// Nothing carries it since then; it waits for another line.
    Lost {
        since: Instant,
    },
    /// The portal has ended.
    Over,
}

/// Is told the code of a RESET that no line carried, and the places that had come.
type Unheard = Box<dyn FnOnce(u16, u64) + Send>;

/// The part of a portal that can be resumed.
pub(in crate::portal) struct Kept {
    pub(in crate::portal) replay: Replay,
    /// For the memory of `replay`.
    share: Share,
    pub(in crate::portal) unheard: Option<Unheard>,
    /// Which limit the peer was told on this line.
    told: usize,
    /// Lines so far: what an older one still brings is not heard.
    pub(in crate::portal) line: u32,
    /// The reading half of a line that the reading task has not taken up yet.
    pub(in crate::portal) arriving: Option<(Facts, RecordReader)>,
    pub(in crate::portal) stands: watch::Sender<Line>,
    /// Whether the peer has shown that it heard of the portal.
    pub(in crate::portal) met: watch::Sender<bool>,
}

impl Kept {
    pub(in crate::portal) fn new(share: Share) -> Self {
        Self {
            replay: Replay::new(),
            share,
            unheard: None,
            told: FIRST_LIMIT,
            line: 0,
            arriving: None,
            stands: watch::Sender::new(Line::Up),
            met: watch::Sender::new(false),
        }
    }
}

impl Out {
    pub(super) fn poll_kept(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, PortalError>> {
        remember(&mut self.writing, cx);
        self.alive()?;
        if self.fin {
            return Poll::Ready(Err(OVER));
        }
        // Without a line there is only the memory, as long as it has room.
        if self.writer.is_some() {
            ready!(self.poll_line(cx))?;
        }
        let Some(kept) = &mut self.kept else {
            return Poll::Ready(Err(OVER));
        };
        let Kept { replay, share, .. } = kept;
        let room = replay.room(bytes.len().min(AT_ONCE), |memory| share.holds(memory));
        let taken = &bytes[..room];
        if taken.is_empty() {
            return Poll::Pending;
        }
        for bytes in taken.chunks(MAX_DATA) {
            kept.replay.keep(bytes);
        }
        self.spoke(taken.len());
        if self.writer.is_some() {
            self.carry(taken);
        }
        Poll::Ready(Ok(taken.len()))
    }

    /// Seals `bytes`, which have just been kept and are all that the line lacks.
    fn carry(&mut self, bytes: &[u8]) {
        let offset = self.offset - bytes.len() as u64;
        let sealed = self.acknowledge().and_then(|()| {
            bytes
                .chunks(MAX_DATA)
                .enumerate()
                .try_for_each(|(n, bytes)| {
                    let offset = offset + (n * MAX_DATA) as u64;
                    self.push(&Frame::Data { offset, bytes })?;
                    self.went(bytes.len());
                    Ok(())
                })
        });
        if let Err(error) = sealed.and_then(|()| self.try_flush().map(drop)) {
            self.line_failed(error);
        }
    }

    fn went(&mut self, places: usize) {
        if let Some(kept) = &mut self.kept {
            kept.replay.went(places);
        }
    }

    /// Says what the peer should know in front of whatever is sealed next.
    pub(in crate::portal) fn acknowledge(&mut self) -> Result<(), PortalError> {
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        if self.writer.is_none() {
            return Err(PortalError::CircuitLost);
        }
        let limit = kept.replay.limit();
        if kept.told != limit {
            kept.told = limit;
            let bytes = limit as u64;
            self.push(&Frame::Window { bytes })?;
        }
        match self.intake.say() {
            Some(offset) => self.push(&Frame::Ack { offset }),
            None => Ok(()),
        }
    }

    /// Acknowledges now, if the line takes it.
    pub(in crate::portal) fn acknowledge_now(&mut self) {
        if self.ended.is_none() && self.writer.is_some() && !self.intake.is_all_said() {
            let said = self.acknowledge().and_then(|()| self.try_flush());
            if let Err(error) = said {
                self.line_failed(error);
            }
        }
    }

    /// The peer has everything before `place`.
    pub(in crate::portal) fn acknowledged(&mut self, place: u64) -> Result<(), PortalError> {
        // A portal that dies with its line keeps nothing, so nobody has a reason to tell it.
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        let has_room = kept.replay.ack(place).map_err(|_| LinkError::OutOfTurn)?;
        kept.share.holds(kept.replay.memory());
        if has_room {
            self.wake_writer();
        }
        Ok(())
    }

    /// Brings the line up to what was written, and flushes. Ready without a line: then there is nothing to wait for here.
    pub(super) fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        loop {
            let Some(writer) = &mut self.writer else {
                return Poll::Ready(Ok(()));
            };
            if let Err(error) = ready!(writer.poll_flush(cx)) {
                self.line_failed(error.into());
                return Poll::Ready(Ok(()));
            }
            match self.seal_missing() {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(())),
                Err(error) => self.line_failed(error),
            }
        }
    }

    /// Seals what the line lacks, as much as one write should carry; whether there was anything.
    fn seal_missing(&mut self) -> Result<bool, PortalError> {
        self.push_pong()?;
        let mut sealed = self.waiting() > 0;
        while self.waiting() < AT_ONCE {
            if self.kept.as_ref().is_none_or(|k| k.replay.is_caught_up()) {
                break;
            }
            self.acknowledge()?;
            self.seal_piece()?;
            sealed = true;
        }
        Ok(sealed)
    }

    fn seal_piece(&mut self) -> Result<(), PortalError> {
        let (Some(kept), Some(writer)) = (&mut self.kept, &mut self.writer) else {
            return Ok(());
        };
        let (frame, places) = match kept.replay.piece() {
            None => return Ok(()),
            Some(Piece::Data { offset, bytes }) => (Frame::Data { offset, bytes }, bytes.len()),
            Some(Piece::Fin { offset }) => (Frame::Fin { offset }, 1),
        };
        writer.push(|out| frame.encode_into(out))?;
        kept.replay.went(places);
        Ok(())
    }

    /// Nothing more goes onto this line. The reader finds its end, and what the peer said before.
    fn line_failed(&mut self, error: PortalError) {
        if let Some(writer) = self.writer.take() {
            self.broken = Some(error);
            let _ = SockRef::from(&*writer.tcp()).shutdown(Shutdown::Both);
        }
    }

    /// The line is gone for good; the portal waits for another one.
    pub(in crate::portal) fn cut(&mut self) {
        self.line_failed(PortalError::CircuitLost);
        self.pong = None;
        if let Some(kept) = &mut self.kept {
            kept.line += 1;
            kept.arriving = None;
            let memory = kept.replay.shrink();
            kept.share.holds(memory);
        }
        if self.ended.is_none() {
            let since = Instant::now();
            self.stands(Line::Lost { since });
        }
        self.wake();
    }

    /// Goes on with another line, on which the peer has everything before `place`.
    pub(in crate::portal) fn connect(
        &mut self,
        reader: (Facts, RecordReader),
        writer: RecordWriter,
        place: u64,
    ) -> Result<(), PortalError> {
        self.alive()?;
        let Some(kept) = &mut self.kept else {
            return Err(PortalError::CircuitLost);
        };
        if kept.replay.rewind(place).is_err() {
            return Err(self.fail(PortalError::Broken(LinkError::OutOfTurn)));
        }
        kept.told = FIRST_LIMIT;
        kept.line += 1;
        kept.arriving = Some(reader);
        self.writer = Some(writer);
        self.broken = None;
        self.meet();
        self.stands(Line::Up);
        self.acknowledge_now();
        self.wake();
        Ok(())
    }

    /// The portal ends here, and its peer has not been told.
    pub(super) fn unheard(&mut self, code: u16) {
        let received = self.intake.received();
        if let Some(tell) = self.kept.as_mut().and_then(|kept| kept.unheard.take()) {
            tell(code, received);
        }
    }

    /// The peer knows of the portal.
    pub(in crate::portal) fn meet(&self) {
        if let Some(kept) = &self.kept {
            kept.met
                .send_if_modified(|met| !std::mem::replace(met, true));
        }
    }

    pub(super) fn stands(&self, line: Line) {
        if let Some(kept) = &self.kept {
            // One that was lost twice has been lost since the first time.
            let same = |now: &Line| std::mem::discriminant(now) == std::mem::discriminant(&line);
            kept.stands.send_if_modified(|now| {
                let news = !same(now);
                if news {
                    *now = line;
                }
                news
            });
        }
    }

    /// Whether a writer waits for acknowledgements, which somebody must read.
    pub(in crate::portal) fn is_held_back(&self) -> bool {
        let kept = self.kept.as_ref();
        self.ended.is_none() && kept.is_some_and(|kept| kept.replay.is_held_back())
    }

    /// Helps a line that lacks something along, for a reader that nobody who writes keeps company.
    pub(in crate::portal) fn push_on(&mut self, cx: &mut Context<'_>) {
        let lacks = self
            .kept
            .as_ref()
            .is_some_and(|k| !k.replay.is_caught_up() || self.waiting() > 0);
        if lacks && self.poll_line(cx).is_ready() {
            self.wake_writer();
        }
    }
}
