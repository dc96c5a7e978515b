//! Client to server: bytes as they come, and a count of what the server still owes an answer for.
//! The count errs to one side only: a server that is called idle is idle.

use crate::boundary::Boundary;
use crate::rest::Rest;
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
    /// Only what goes on with a statement that has begun passes.
    last_call: bool,
    rest: Rest,
}

/// Messages that begin nothing: the rest of a COPY, Sync and Flush after a batch, goodbye.
const GOES_ON: &[u8] = b"dcfSHX";

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
            last_call: false,
            rest: Rest::default(),
        }
    }

    /// From now on this hears what the server owes.
    pub fn tell(&mut self, rest: Rest) {
        self.rest = rest;
        self.say_what_is_owed();
    }

    fn say_what_is_owed(&self) {
        let settled = !self.batch && self.boundary.is_between_messages();
        self.rest.awaits(settled.then_some(self.awaited));
    }

    /// From now on nothing new is begun: a message under way passes to its end, and after it only what goes on with it.
    pub fn last_call(&mut self) {
        self.last_call = true;
    }

    /// Whether something waits that would begin a statement after the last call: nothing passes any more.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.last_call && self.pending().is_empty() && !self.room.pending().is_empty()
    }

    /// What to write to the server now.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        let all = self.room.pending();
        match self.last_call {
            false => all,
            true => &all[..self.goes_on(all)],
        }
    }

    /// How many of these bytes begin nothing.
    fn goes_on(&self, bytes: &[u8]) -> usize {
        let (mut at, mut boundary) = (0, self.boundary.clone());
        while let Some(next) = bytes.get(at) {
            let step = match boundary.owed() {
                0 if !boundary.is_between_messages() || !GOES_ON.contains(next) => break,
                0 => 1,
                owed => owed.min(bytes.len() - at),
            };
            boundary.walk(&bytes[at..at + step], |_| ());
            at += step;
        }
        at
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
            last_call: _,
            rest: _,
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
        self.say_what_is_owed();
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

    /// What of a stream passes after the last call, however it is cut, when `before` bytes of it passed already.
    fn passes(tags: &[u8], before: usize) -> usize {
        let mut stream = Vec::new();
        let body = |into: &mut Vec<u8>| into.extend_from_slice(b"1234");
        tags.iter().for_each(|tag| push(&mut stream, *tag, body));
        let mut inflow = Inflow::starting_with(stream);
        inflow.written(before);
        inflow.last_call();
        let mut passed = before;
        while !inflow.pending().is_empty() {
            passed += 1;
            inflow.written(1);
        }
        passed
    }

    #[test]
    fn after_the_last_call_nothing_new_begins_and_what_has_begun_may_end() {
        let one = 9; // tag, length and four bytes

        assert_eq!(passes(b"Q", 0), 0);
        assert_eq!(passes(b"QQ", 1), one, "a message under way");
        assert_eq!(passes(b"QQ", one), one);
        assert_eq!(passes(b"dddcSQ", 0), 5 * one, "a copy goes on");
        assert_eq!(passes(b"SPBES", 0), one);
        assert_eq!(passes(b"X", 0), one);
        let mut shut = Inflow::starting_with(b"Q\0\0\0\x04".to_vec());
        assert!(!shut.is_shut());
        shut.last_call();
        assert!(shut.is_shut());
    }

    #[test]
    fn hears_goodbye() {
        assert!(!after(b"Q").has_terminated());
        assert!(after(b"QX").has_terminated());
    }
}
