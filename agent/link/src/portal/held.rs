//! Payload that came and that the user has not taken, out of the reader's buffer: what was read for the sake of
//! acknowledgements behind it. It is the peer's wish how much that is, so it counts against a budget.

use super::{budget::Share, replay::FIRST_LIMIT};
use std::collections::VecDeque;
use tidegate_proto::frame::{MAX_DATA, MAX_WINDOW};
use tokio::io::ReadBuf;

/// As much as a peer may have under way.
const MOST: usize = MAX_WINDOW as usize;
/// What every portal may hold, whatever others do: all that an honest peer has under way at first, and the frame behind it
/// that says what it took.
pub(super) const OWN: usize = FIRST_LIMIT + 2 * MAX_DATA;

/// No more is read for now: others hold too much already.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Full;

pub(super) struct Held {
    bytes: VecDeque<u8>,
    /// For a portal that reads on.
    share: Option<Share>,
}

impl Held {
    pub(super) fn new(share: Option<Share>) -> Self {
        Self {
            bytes: VecDeque::new(),
            share,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for one frame more, beside `waiting` bytes that will be pushed before it.
    pub(super) fn make_room(&mut self, waiting: usize) -> Result<(), Full> {
        // What comes stays in the reader's buffer while nothing is before it.
        if self.bytes.is_empty() && waiting == 0 {
            return Ok(());
        }
        let needed = self.bytes.len() + waiting + MAX_DATA;
        if needed <= self.bytes.capacity() {
            return Ok(());
        }
        let ample = needed.max((self.bytes.capacity() * 2).min(MOST));
        let capacity = [ample, needed].into_iter().find(|bytes| self.holds(*bytes));
        let capacity = capacity.ok_or(Full)?;
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Gives the user as much as fits in one piece; how much that was.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let (front, _) = self.bytes.as_slices();
        let length = front.len().min(buf.remaining());
        buf.put_slice(&front[..length]);
        self.bytes.drain(..length);
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
            self.holds(0);
        }
        length
    }

    /// Nothing carries the portal for a while: only what is here takes memory.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.holds(self.bytes.capacity());
    }

    fn holds(&mut self, bytes: usize) -> bool {
        let share = self.share.as_mut();
        share.is_none_or(|share| share.holds(bytes))
    }
}
