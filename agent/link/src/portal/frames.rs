//! What comes in: one frame after the other, from whichever line the portal has now.
//! A line that was replaced may still bring frames; they are not heard, for what it lost is said again on the next one.

use super::{NO_REASON, Portal, held::Full};
use crate::{LinkError, PortalError};
use std::{
    future::Future,
    ops::Range,
    task::{Context, Poll, ready},
    time::Duration,
};
use tidegate_proto::{frame::Frame, problem::Code};
use tokio::time::sleep;

/// How long a peer may wait to hear that little was taken, when nothing else is said to it.
const LAZY: Duration = Duration::from_millis(200);

impl Portal {
    /// Ready when the portal breaks after the peer has finished its direction; handles the peer's control frames.
    pub(crate) fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<PortalError> {
        loop {
            if let Some(error) = self.shared.out().check_in(cx) {
                return Poll::Ready(error);
            }
            match ready!(self.poll_frame(cx)) {
                Ok(()) => {}
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// Reads on behind bytes that the user has not taken, for the sake of the acknowledgements among what comes.
    pub(super) fn poll_behind(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        if let Err(Full) = self.held.make_room(self.unread.len()) {
            // Waiting could wait for ever: what the peer acknowledges lies behind what there is no room for.
            self.shared.out().reset(Code::TooManyConnections.number());
            let end = self.shared.out().ended();
            return Poll::Ready(end.map_or(Ok(()), Err));
        }
        let end = ready!(self.poll_frame(cx));
        if self.has_unread() || self.has_finished() {
            self.shared.out().wake_reader();
        }
        Poll::Ready(end)
    }

    /// Reads and handles one frame. Whoever calls is woken by another line, too.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PortalError>> {
        if self.is_home {
            return Poll::Ready(Err(PortalError::Withdrawn(NO_REASON)));
        }
        loop {
            self.take_up();
            self.tell(cx);
            self.stash();
            let Some((_, reader)) = &mut self.line else {
                return Poll::Pending;
            };
            let Poll::Ready(record) = reader.poll_record(cx) else {
                self.tell_before_long(cx);
                return Poll::Pending;
            };
            let handled = match record {
                Ok(record) => self.handle(record),
                // A record that does not open says nothing of the peer: whoever carries the line can harm it as well as cut it.
                // What the peer sealed itself and may not say is an error of `handle`, and ends the portal.
                Err(_) if self.number.is_some() => {
                    self.lose_line();
                    continue;
                }
                Err(error) => Err(error.into()),
            };
            return Poll::Ready(handled.map_err(|error| self.shared.out().fail(error)));
        }
    }

    /// Goes over to a newer line, or to none, if there was a change.
    pub(super) fn take_up(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let arriving = {
            let mut out = self.shared.out();
            let Some(kept) = out.kept.as_mut().filter(|kept| kept.line != number) else {
                return;
            };
            self.number = Some(kept.line);
            kept.arriving.take()
        };
        self.stash();
        self.held.shrink();
        self.line = arriving;
        self.home = None;
    }

    /// The line has ended without a word, or brought what does not open. It is shut in both directions and never read again;
    /// the portal waits for another one, unless that is here already.
    fn lose_line(&mut self) {
        let mut out = self.shared.out();
        if out.kept.as_ref().map(|kept| kept.line) == self.number {
            out.cut();
        }
    }

    /// Moves what the user has not taken out of the reader's buffer.
    fn stash(&mut self) {
        if let Some((_, reader)) = &self.line
            && !self.unread.is_empty()
        {
            self.held.push(reader.bytes(self.unread.clone()));
        }
        self.unread = 0..0;
    }

    /// Says what the peer has to hear now: not before everything that is here was taken, so that a fast peer hears it once.
    fn tell(&mut self, cx: &mut Context<'_>) {
        let (Some(_), Some((_, reader))) = (self.number, &self.line) else {
            return;
        };
        let mut out = self.shared.out();
        out.push_on(cx);
        if out.intake.is_due() && !reader.has_record() {
            out.acknowledge_now();
        }
    }

    /// Nothing comes: what the peer could forget by now, it is told before long.
    fn tell_before_long(&mut self, cx: &mut Context<'_>) {
        if self.number.is_none() {
            return;
        }
        if !self.shared.out().intake.is_worth_saying() {
            self.timer = None;
            return;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(LAZY)));
        if timer.as_mut().poll(cx).is_ready() {
            self.timer = None;
            self.shared.out().acknowledge_now();
        }
    }

    fn handle(&mut self, record: Range<usize>) -> Result<(), PortalError> {
        let Some((_, reader)) = &self.line else {
            return Ok(());
        };
        let frame = Frame::decode(reader.bytes(record.clone())).map_err(LinkError::from)?;
        let mut out = self.shared.out();
        if out.kept.as_ref().map(|kept| kept.line) != self.number {
            return Ok(());
        }
        self.shared.heard();
        // Whoever has not heard of the portal yet asks whether anybody is there, and says nothing else.
        if !matches!(frame, Frame::Ping(_)) {
            out.meet();
        }
        match frame {
            Frame::Data { offset, bytes } => {
                let placed = out.intake.data(offset, bytes.len());
                placed.map_err(|_| LinkError::OutOfTurn)?;
                if self.held.is_empty() {
                    self.unread = record.end - bytes.len()..record.end;
                } else {
                    self.held.push(bytes);
                }
            }
            Frame::Fin { offset } => {
                let placed = out.intake.fin(offset);
                placed.map_err(|_| LinkError::OutOfTurn)?;
            }
            Frame::Ack { offset } => out.acknowledged(offset)?,
            Frame::Window { bytes } => out.intake.peer_keeps(bytes),
            Frame::Reset { code } => return Err(PortalError::Reset(code)),
            Frame::Ping(number) => out.pong(number),
            Frame::Pong(_) => {}
            // A full queue drops: its reader is behind, and what it misses is said again.
            Frame::Notice { code, text } => drop(self.notices.try_send((code, text.to_owned()))),
            Frame::Reauth(record) => drop(self.reauths.try_send(record.to_vec())),
            Frame::Admitted { deadline } => drop(self.admitted.send_replace(Some(deadline))),
            Frame::Auth(_)
            | Frame::Open(_)
            | Frame::Opened { .. }
            | Frame::Berth { .. }
            | Frame::Refused { .. }
            | Frame::Resume(_)
            | Frame::Resumed { .. } => return Err(PortalError::Broken(LinkError::OutOfTurn)),
        }
        Ok(())
    }
}
