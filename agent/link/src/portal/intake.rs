//! The account of a portal's receiving direction: what came, what the user took, and what the peer was told of it.
//! Only what was taken is acknowledged: so a peer never has more under way than we can always take in. No I/O, no clock.

use super::replay::{FIRST_LIMIT, Lie};

/// Fewer bytes than this are not worth an acknowledgement of their own.
pub(super) const CRUMBS: u64 = 16 * 1024;

pub(super) struct Intake {
    /// Bytes that came.
    came: u64,
    finished: bool,
    /// Bytes that the user took.
    taken: u64,
    /// The last place acknowledged on this line, FIN counted.
    said: u64,
    /// The highest ever acknowledged on any.
    most_said: u64,
    /// How much the peer keeps at most, as said on this line: it is told before it has to wait.
    peer_keeps: u64,
    /// The most that it ever said: it may have kept so much before it kept less.
    peer_kept: u64,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self {
            came: 0,
            finished: false,
            taken: 0,
            said: 0,
            most_said: 0,
            peer_keeps: FIRST_LIMIT as u64,
            peer_kept: FIRST_LIMIT as u64,
        }
    }

    /// Of a portal that ends with its line: nothing is acknowledged, and the socket alone says how much comes.
    pub(super) fn unbounded() -> Self {
        Self {
            peer_kept: u64::MAX,
            ..Self::new()
        }
    }

    /// A peer never has more under way than it said that it keeps: whatever it sends beyond that nobody asked for.
    pub(super) fn data(&mut self, offset: u64, length: usize) -> Result<(), Lie> {
        if self.finished || offset != self.came {
            return Err(Lie);
        }
        let end = offset.saturating_add(length as u64);
        if end > self.most_said.saturating_add(self.peer_kept) {
            return Err(Lie);
        }
        self.came = end;
        Ok(())
    }

    pub(super) fn fin(&mut self, offset: u64) -> Result<(), Lie> {
        if self.finished || offset != self.came {
            return Err(Lie);
        }
        self.finished = true;
        Ok(())
    }

    pub(super) fn take(&mut self, length: usize) {
        self.taken += length as u64;
    }

    /// The peer keeps so much at most from now on.
    pub(super) fn peer_keeps(&mut self, bytes: u64) {
        self.peer_keeps = bytes;
        self.peer_kept = self.peer_kept.max(bytes);
    }

    /// Bytes that came.
    pub(super) fn bytes(&self) -> u64 {
        self.came
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the peer should hear now, even if there is nothing else to tell it.
    pub(super) fn is_due(&self) -> bool {
        self.unsaid() >= self.peer_keeps / 4
    }

    /// Whether the peer should hear before long.
    pub(super) fn is_worth_saying(&self) -> bool {
        self.unsaid() >= CRUMBS || (self.finished && self.unsaid() > 0)
    }

    /// Whether the peer knows everything.
    pub(super) fn is_all_said(&self) -> bool {
        self.said >= self.received()
    }

    /// The acknowledgement that is to be sent, if there is anything new.
    pub(super) fn say(&mut self) -> Option<u64> {
        let place = self.to_say();
        (place > self.said).then(|| {
            self.said = place;
            self.most_said = self.most_said.max(place);
            place
        })
    }

    /// The place at which a new line begins. What was said on the old one, by either side, may not have arrived: it is
    /// said again.
    pub(super) fn begin(&mut self) -> u64 {
        self.said = 0;
        self.peer_keeps = FIRST_LIMIT as u64;
        self.received()
    }

    /// Places before this one have come: bytes, and FIN.
    pub(super) fn received(&self) -> u64 {
        self.came + u64::from(self.finished)
    }

    fn to_say(&self) -> u64 {
        if self.taken == self.came {
            self.received()
        } else {
            self.taken
        }
    }

    fn unsaid(&self) -> u64 {
        self.to_say().saturating_sub(self.said)
    }
}
