//! Where one message ends and the next begins, in a stream that is only passing through.
//! Reads headers, never bodies, and keeps nothing: a message of 1 GiB costs what one of 10 bytes costs.

use crate::message::HEADER;

/// Position in a stream of typed messages. Any cutting of the stream into pieces gives the same.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Boundary {
    header: [u8; HEADER],
    /// Bytes of the header seen so far.
    have: usize,
    /// Bytes of the body still to come.
    left: usize,
    /// The message whose body has not begun to pass.
    fresh: Option<u8>,
    /// A length below four was announced: this is not the PostgreSQL protocol, nothing is known any more.
    lost: bool,
}

impl Boundary {
    /// Moves on by `bytes`, telling `seen` the type of each message whose header is complete.
    pub fn walk(&mut self, bytes: &[u8], mut seen: impl FnMut(u8)) {
        self.look(bytes, |tag, first| {
            if first.is_none() {
                seen(tag);
            }
        });
    }

    /// As `walk`, and tells the first byte of each body too, once it is there.
    pub(crate) fn look(&mut self, mut bytes: &[u8], mut seen: impl FnMut(u8, Option<u8>)) {
        while !bytes.is_empty() && !self.lost {
            bytes = self.skip_body(bytes, &mut seen);
            bytes = self.take_header(bytes, &mut seen);
        }
    }

    /// Whether another message could be put in here.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.lost
    }

    /// How many of the bytes that come next end with a whole message. All of them, where the message that is cut off has begun
    /// to pass already, or is longer than `most` bytes with its header.
    pub(crate) fn whole(&self, bytes: &[u8], most: usize) -> usize {
        if self.lost || self.have > 0 {
            return bytes.len();
        }
        let mut end = self.left;
        while let Some(header) = bytes
            .get(end..)
            .and_then(|rest| rest.first_chunk::<HEADER>())
        {
            let [_, a, b, c, d] = *header;
            let announced = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            let cut_off = announced >= bytes.len() - end;
            if announced < 4 || (cut_off && announced >= most) {
                return bytes.len();
            }
            if cut_off {
                break;
            }
            end += 1 + announced;
        }
        end.min(bytes.len())
    }

    /// How many more bytes surely belong to the message under way; 0 when none is, or when all is lost.
    #[must_use]
    pub fn owed(&self) -> usize {
        match (self.lost, self.have) {
            (true, _) => 0,
            (false, 0) => self.left,
            (false, have) => HEADER - have,
        }
    }

    fn skip_body<'a>(
        &mut self,
        bytes: &'a [u8],
        seen: &mut impl FnMut(u8, Option<u8>),
    ) -> &'a [u8] {
        let skipped = self.left.min(bytes.len());
        if skipped > 0
            && let Some(tag) = self.fresh.take()
        {
            seen(tag, Some(bytes[0]));
        }
        self.left -= skipped;
        &bytes[skipped..]
    }

    fn take_header<'a>(
        &mut self,
        bytes: &'a [u8],
        seen: &mut impl FnMut(u8, Option<u8>),
    ) -> &'a [u8] {
        let taken = (HEADER - self.have).min(bytes.len());
        self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
        self.have += taken;
        if self.have == HEADER {
            self.begin_message(seen);
        }
        &bytes[taken..]
    }

    fn begin_message(&mut self, seen: &mut impl FnMut(u8, Option<u8>)) {
        let [tag, a, b, c, d] = self.header;
        let announced = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        match announced.checked_sub(4) {
            Some(left) => {
                self.left = left;
                self.have = 0;
                self.fresh = (left > 0).then_some(tag);
                seen(tag, None);
            }
            None => self.lost = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::push;

    fn stream_of(messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, body) in messages {
            push(&mut out, *tag, |into| into.extend_from_slice(body));
        }
        out
    }

    #[test]
    fn is_between_messages_only_where_one_ended() {
        let stream = stream_of(&[(b'D', vec![7; 3]), (b'C', vec![]), (b'Z', vec![b'I'])]);
        let mut boundary = Boundary::default();
        let mut between = vec![];

        for (at, byte) in stream.iter().enumerate() {
            boundary.walk(&[*byte], |_| ());
            if boundary.is_between_messages() {
                between.push(at + 1);
            }
        }

        assert_eq!(between, [8, 13, 19]);
    }

    #[test]
    fn a_gibibyte_announced_costs_nothing_and_is_owed() {
        let mut boundary = Boundary::default();

        boundary.walk(&[b'd', 0x40, 0, 0, 4], |_| ());

        assert!(!boundary.is_between_messages());
        assert_eq!(boundary.owed(), 1 << 30);
    }

    #[test]
    fn nonsense_is_never_a_place_to_speak() {
        let mut boundary = Boundary::default();

        boundary.walk(&[b'd', 0, 0, 0, 3, 0, 0, 0, 0, 0], |_| ());

        assert!(!boundary.is_between_messages());
        assert_eq!(boundary.owed(), 0);
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            cuts in prop::collection::vec(1_usize..30, 1..50),
            missing in 0_usize..20,
        ) {
            let mut stream = stream_of(&messages);
            stream.truncate(stream.len().saturating_sub(missing));
            let (mut whole, mut pieces) = (Boundary::default(), Boundary::default());
            let (mut seen_whole, mut seen_pieces) = (vec![], vec![]);

            whole.walk(&stream, |tag| seen_whole.push(tag));
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.walk(piece, |tag| seen_pieces.push(tag));
                rest = after;
            }

            prop_assert_eq!(whole, pieces);
            prop_assert_eq!(seen_whole, seen_pieces);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut boundary = Boundary::default();
            boundary.walk(&bytes, |_| ());
            prop_assert!(!boundary.is_between_messages() || boundary.owed() == 0);
        }
    }
}
