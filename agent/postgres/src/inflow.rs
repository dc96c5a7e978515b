//! Client to server: bytes as they come, and a count of what the server still owes an answer for.
//! The count errs to one side only: a server that is called idle is idle.

use crate::boundary::Boundary;
use crate::room::Room;

/// One connection's stream from the client to the server, after the startup.
#[derive(Debug)]
pub struct Inflow {
    room: Room,
    boundary: Boundary,
    /// `ReadyForQuery` messages that must have come before the server can be idle. The first ends the startup.
    awaited: u64,
    /// Messages of the extended protocol were sent since the last Sync.
    batch: bool,
    terminated: bool,
}

impl Inflow {
    /// A stream whose first bytes were read already.
    #[must_use]
    pub fn starting_with(bytes: Vec<u8>) -> Self {
        Self {
            room: Room::holding(bytes),
            boundary: Boundary::default(),
            awaited: 1,
            batch: false,
            terminated: false,
        }
    }

    /// What to write to the server now.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.room.pending()
    }

    /// Where to read what the client says; empty while something is pending.
    pub fn space(&mut self) -> &mut [u8] {
        self.room.space(usize::MAX)
    }

    /// `count` bytes were read into the space.
    pub fn filled(&mut self, count: usize) {
        self.room.filled(count);
    }

    /// `count` of the pending bytes reached the server's socket.
    pub fn written(&mut self, count: usize) {
        let Self {
            room,
            boundary,
            awaited,
            batch,
            terminated,
        } = self;
        let passed = &room.pending()[..count.min(room.pending().len())];
        boundary.walk(passed, |tag| match tag {
            b'Q' | b'F' => *awaited += 1,
            b'S' => {
                *awaited += 1;
                *batch = false;
            }
            b'X' => *terminated = true,
            _ => *batch = true,
        });
        room.written(count);
    }

    /// Whether a server that has said `ready` times that it is ready can have nothing left to do.
    /// Sync inside of COPY and queries skipped after an error get no answer: then this stays false, wrongly.
    #[must_use]
    pub fn leaves_idle(&self, ready: u64) -> bool {
        ready >= self.awaited && !self.batch && self.boundary.is_between_messages()
    }

    /// Whether the client said goodbye.
    #[must_use]
    pub fn has_terminated(&self) -> bool {
        self.terminated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::push;

    fn after(tags: &[u8]) -> Inflow {
        let mut stream = Vec::new();
        tags.iter().for_each(|tag| push(&mut stream, *tag, |_| ()));
        let length = stream.len();
        let mut inflow = Inflow::starting_with(stream);
        inflow.written(length);
        inflow
    }

    #[test]
    fn each_query_and_each_sync_awaits_one_answer() {
        assert!(after(b"").leaves_idle(1));
        assert!(!after(b"Q").leaves_idle(1));
        assert!(after(b"Q").leaves_idle(2));
        assert!(!after(b"QQPBDES").leaves_idle(3));
        assert!(after(b"QQPBDES").leaves_idle(4));
    }

    #[test]
    fn a_batch_without_its_sync_may_be_running() {
        assert!(!after(b"PBEH").leaves_idle(9));
        assert!(!after(b"Qd").leaves_idle(9));
    }

    #[test]
    fn half_a_query_is_no_rest() {
        let mut inflow = Inflow::starting_with(b"Q\0\0".to_vec());
        inflow.written(3);

        assert!(!inflow.leaves_idle(9));
    }

    #[test]
    fn hears_goodbye() {
        assert!(!after(b"Q").has_terminated());
        assert!(after(b"QX").has_terminated());
    }
}
