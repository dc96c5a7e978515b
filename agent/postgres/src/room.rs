//! One direction's buffer: filled from one socket, emptied into the other.
//! Small while little flows and large while much does: thousands of idle portals must cost little.

/// Enough for a query and its answer of a few rows, in bytes.
const SMALL: usize = 4 * 1024;
/// What can be kept while more is read, in bytes, and still leave room for that.
pub(crate) const KEPT: usize = SMALL;
/// As much as fits into one record of the channel with its header, in bytes.
const LARGE: usize = 63 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Room {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    busy: bool,
}

impl Room {
    /// A room that holds `bytes` already.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        Self {
            end: bytes.len(),
            bytes,
            start: 0,
            busy: false,
        }
    }

    /// Where to read into; empty while something waits to be written.
    pub(crate) fn space(&mut self, most: usize) -> &mut [u8] {
        if self.start < self.end {
            return &mut [];
        }
        (self.start, self.end) = (0, 0);
        let size = if self.busy { LARGE } else { SMALL };
        if self.bytes.len() != size {
            self.bytes = vec![0; size];
        }
        let most = most.min(size);
        &mut self.bytes[..most]
    }

    /// Where to read on into, behind what is kept; that must be less than `KEPT`.
    pub(crate) fn space_behind(&mut self) -> &mut [u8] {
        let kept = self.end - self.start;
        let size = if self.busy { LARGE } else { SMALL };
        if self.bytes.len() == size {
            self.bytes.copy_within(self.start..self.end, 0);
        } else {
            let mut bytes = vec![0; size];
            bytes[..kept].copy_from_slice(self.pending());
            self.bytes = bytes;
        }
        (self.start, self.end) = (0, kept);
        &mut self.bytes[kept..]
    }

    /// `count` bytes were read into the space.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.busy = self.end >= SMALL;
    }

    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// `count` of the pending bytes were written.
    pub(crate) fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_for_bulk_and_shrinks_when_it_is_over() {
        let mut room = Room::default();
        assert_eq!(room.space(usize::MAX).len(), SMALL);

        room.filled(SMALL);
        assert!(room.space(usize::MAX).is_empty(), "must be written first");
        room.written(SMALL);
        assert_eq!(room.space(usize::MAX).len(), LARGE);

        room.filled(10);
        room.written(10);
        assert_eq!(room.space(usize::MAX).len(), SMALL);
    }

    #[test]
    fn keeps_what_was_not_written() {
        let mut room = Room::holding(b"abcdef".to_vec());

        room.written(2);
        assert_eq!(room.pending(), b"cdef");

        room.written(400);
        assert_eq!(room.pending(), b"");
    }
}
