//! The memory of a portal's sending direction: what the peer has not acknowledged is kept, and can be said again on another line.
//! FIN counts as one place behind the last byte, so that its acknowledgement needs no frame of its own. No I/O, no clock.

use std::collections::VecDeque;
use tidegate_proto::frame::{MAX_DATA, MAX_WINDOW};

/// Bytes kept at most before the peer has shown that more would be of use. The peer counts on it until it hears of another.
pub(super) const FIRST_LIMIT: usize = 256 * 1024;
/// No portal ever keeps more than this, whoever configured it: a peer takes in so much without waiting for its reader.
pub(super) const MOST: usize = MAX_WINDOW as usize;
/// What is kept at most where nobody says otherwise: 1 Gbit/s over 130 ms.
const CAP: usize = 16 << 20;
/// An empty buffer larger than this is given back.
const SMALL: usize = 512;

/// The peer broke the protocol: it acknowledged what was not sent, or wants what is gone.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Lie;

/// What goes on the line next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Data { offset: u64, bytes: &'a [u8] },
    Fin { offset: u64 },
}

pub(super) struct Replay {
    /// From the first byte that is not acknowledged to the last one written.
    bytes: VecDeque<u8>,
    /// Places before this one are acknowledged.
    acked: u64,
    /// The next place that the present line has to carry.
    next: u64,
    /// Places before this one have been on some line.
    sent: u64,
    /// Bytes written.
    written: u64,
    fin: bool,
    limit: usize,
    cap: usize,
    /// Whether the writer waits for room.
    held_back: bool,
    /// What must be acknowledged before the limit grows again: one limit's worth after it grew last.
    grows_at: u64,
}

impl Replay {
    pub(super) fn new() -> Self {
        Self::with_cap(CAP)
    }

    pub(super) fn with_cap(cap: usize) -> Self {
        let cap = cap.clamp(FIRST_LIMIT, MOST);
        Self {
            bytes: VecDeque::new(),
            acked: 0,
            next: 0,
            sent: 0,
            written: 0,
            fin: false,
            limit: FIRST_LIMIT,
            cap,
            held_back: false,
            grows_at: FIRST_LIMIT as u64,
        }
    }

    /// How many of `wanted` bytes may be written now. Little room is none: what is sent in crumbs costs more than it moves.
    /// `may`: whether so many bytes of memory may be held; where they may not, less is kept from now on.
    pub(super) fn room(&mut self, wanted: usize, may: impl FnOnce(usize) -> bool) -> usize {
        let room = self.limit.saturating_sub(self.bytes.len());
        let needed = self.bytes.len() + room.min(wanted);
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.bytes.capacity() * 2).min(self.limit);
            if may(capacity) {
                self.bytes.reserve_exact(capacity - self.bytes.len());
            } else {
                self.keep_less();
                self.bytes
                    .reserve_exact(self.limit.saturating_sub(self.bytes.len()));
            }
        }
        let room = self.limit.saturating_sub(self.bytes.len());
        self.held_back = room < wanted && room < self.limit / 4;
        if self.held_back { 0 } else { room.min(wanted) }
    }

    /// Keeps no more than it has the memory for, or than is everybody's own.
    fn keep_less(&mut self) {
        self.limit = self.bytes.capacity().max(FIRST_LIMIT).min(self.limit);
        self.grows_at = self.acked + self.limit as u64;
    }

    /// Nothing carries it for a while: only what is in it takes memory. Gives back how much that is.
    pub(super) fn shrink(&mut self) -> usize {
        self.bytes.shrink_to_fit();
        self.keep_less();
        self.memory()
    }

    /// Bytes that the peer has not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Keeps bytes that the writer has said. They must fit.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        debug_assert!(!self.fin && bytes.len() <= self.limit - self.bytes.len());
        self.bytes.extend(bytes);
        self.written += bytes.len() as u64;
    }

    /// The writer is done.
    pub(super) fn finish(&mut self) {
        self.fin = true;
    }

    /// What the present line still has to carry, at most one frame's worth; `None` when nothing.
    pub(super) fn piece(&self) -> Option<Piece<'_>> {
        let offset = self.next;
        if offset >= self.written {
            let missing = self.fin && offset == self.written;
            return missing.then_some(Piece::Fin { offset });
        }
        let from = self.bytes.len() - place(self.written - offset);
        let (front, back) = self.bytes.as_slices();
        let bytes = match from.checked_sub(front.len()) {
            None => &front[from..],
            Some(from) => &back[from..],
        };
        let bytes = &bytes[..bytes.len().min(MAX_DATA)];
        Some(Piece::Data { offset, bytes })
    }

    /// So many places have gone onto the present line.
    pub(super) fn went(&mut self, places: usize) {
        self.next += places as u64;
        self.sent = self.sent.max(self.next);
    }

    /// Whether the present line has carried everything.
    pub(super) fn is_caught_up(&self) -> bool {
        self.next == self.end()
    }

    /// The peer has everything before `place`. Says whether there is room again for a writer that waits.
    pub(super) fn ack(&mut self, place: u64) -> Result<bool, Lie> {
        // On this line the peer can have no more than was put on it.
        if place > self.next {
            return Err(Lie);
        }
        self.release(place);
        if !self.held_back {
            return Ok(false);
        }
        self.grow();
        self.held_back = false;
        Ok(true)
    }

    /// A new line begins, and what came to the peer ends before `place`. It counts as acknowledged only when the peer
    /// says so: its reader may not have taken it yet.
    pub(super) fn rewind(&mut self, place: u64) -> Result<(), Lie> {
        if !self.can_rewind(place) {
            return Err(Lie);
        }
        self.next = place;
        Ok(())
    }

    /// Whether a line could begin there.
    pub(super) fn can_rewind(&self, place: u64) -> bool {
        (self.acked..=self.sent).contains(&place)
    }

    /// Whether a writer waits for room.
    pub(super) fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// Whether FIN was said and the peer has it, and all before.
    pub(super) fn is_over(&self) -> bool {
        self.fin && self.acked == self.end()
    }

    /// Whether the peer has taken every byte that was written.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What the peer must be told when it is not [`FIRST_LIMIT`].
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.bytes.len()
    }

    fn end(&self) -> u64 {
        self.written + u64::from(self.fin)
    }

    fn release(&mut self, place: u64) {
        if place <= self.acked {
            return;
        }
        let bytes = place.min(self.written) - self.acked.min(self.written);
        self.bytes.drain(..self::place(bytes));
        self.acked = place;
        if self.bytes.is_empty() && self.bytes.capacity() > SMALL {
            self.bytes = VecDeque::new();
        }
    }

    /// An acknowledgement found the writer waiting: the window held it back, not the socket.
    fn grow(&mut self) {
        if self.acked >= self.grows_at && self.limit < self.cap {
            self.limit = (self.limit * 2).min(self.cap);
            self.grows_at = self.acked + self.limit as u64;
        }
    }
}

/// A count of bytes that are in memory.
fn place(bytes: u64) -> usize {
    usize::try_from(bytes).expect("what is kept fits into memory")
}
