//! Records after the handshake: one AEAD key and one counter a direction, sealed and opened in place.
//! An empty record is not data: it says that its sender's direction goes on under the next key.

use super::{
    ChannelError, Suite,
    resolver::{aead_key, nonce},
};
use aws_lc_rs::aead::{Aad, LessSafeKey};
use zeroize::Zeroizing;

/// Bytes of the authentication tag at the end of each record.
pub const TAG: usize = 16;
/// Longest record on the wire, in bytes, without its length (Noise section 3).
pub const MAX_RECORD: usize = 65_535;
/// Longest plaintext of one record, in bytes.
pub const MAX_PLAINTEXT: usize = MAX_RECORD - TAG;
/// Both directions rekey by themselves after this many records.
pub const REKEY_EVERY: u64 = 1 << 20;

/// One direction: a Noise `CipherState` (section 5.1) that never lets a counter come back.
struct Direction {
    suite: Suite,
    key: LessSafeKey,
    counter: u64,
    /// Records since the last rekey, whoever asked for it.
    since_rekey: u64,
}

impl Direction {
    fn new(suite: Suite, key: &[u8; 32]) -> Self {
        Self {
            suite,
            key: aead_key(suite, key),
            counter: 0,
            since_rekey: 0,
        }
    }

    /// Makes the direction ready for one more record: the counter to use.
    fn advance(&mut self) -> Result<u64, ChannelError> {
        if self.since_rekey == REKEY_EVERY {
            self.rekey();
        }
        // The largest counter belongs to rekey alone.
        let counter = self.counter;
        self.counter = counter.checked_add(1).ok_or(ChannelError::Ended)?;
        self.since_rekey += 1;
        Ok(counter)
    }

    /// Noise section 4.2: the next key is the encryption of zeros under the largest counter. The counter goes on.
    fn rekey(&mut self) {
        let mut next = Zeroizing::new([0; 32]);
        let _tag = self
            .key
            .seal_in_place_separate_tag(nonce(self.suite, u64::MAX), Aad::empty(), &mut *next)
            .expect("32 bytes are within the limits of the cipher");
        self.key = aead_key(self.suite, &next);
        self.since_rekey = 0;
    }
}

/// The sending direction.
pub struct Sealer(Direction);

impl Sealer {
    pub(super) fn new(suite: Suite, key: &[u8; 32]) -> Self {
        Self(Direction::new(suite, key))
    }

    /// Encrypts `buf[start..]` in place and appends the tag.
    ///
    /// # Errors
    /// `Plaintext` when it is empty or over [`MAX_PLAINTEXT`]; `buf` is then unchanged.
    pub fn seal_in_place(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), ChannelError> {
        let length = buf.len().saturating_sub(start);
        if length == 0 || length > MAX_PLAINTEXT {
            return Err(ChannelError::Plaintext);
        }
        self.seal(buf, start)
    }

    /// Appends the empty record that announces a rekey, and rekeys this direction.
    ///
    /// # Errors
    /// `Ended` after 2^64 records.
    pub fn rekey(&mut self, buf: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.seal(buf, buf.len())?;
        self.0.rekey();
        Ok(())
    }

    fn seal(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), ChannelError> {
        let nonce = nonce(self.0.suite, self.0.advance()?);
        let tag = self
            .0
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut buf[start..])
            .map_err(|_| ChannelError::Ended)?;
        buf.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// The receiving direction. Gone for good after its first failure.
pub struct Opener(Option<Direction>);

impl Opener {
    pub(super) fn new(suite: Suite, key: &[u8; 32]) -> Self {
        Self(Some(Direction::new(suite, key)))
    }

    /// Decrypts one record in place and returns its plaintext; empty when it announced a rekey.
    ///
    /// # Errors
    /// `Rejected` once, when the record is not the next one its peer sealed; `Ended` ever after.
    pub fn open_in_place<'a>(
        &mut self,
        record: &'a mut [u8],
    ) -> Result<&'a mut [u8], ChannelError> {
        let mut direction = self.0.take().ok_or(ChannelError::Ended)?;
        if record.len() > MAX_RECORD || record.len() < TAG {
            return Err(ChannelError::Rejected);
        }
        let nonce = nonce(direction.suite, direction.advance()?);
        let plaintext = direction
            .key
            .open_in_place(nonce, Aad::empty(), record)
            .map_err(|_| ChannelError::Rejected)?;
        if plaintext.is_empty() {
            direction.rekey();
        }
        self.0 = Some(direction);
        Ok(plaintext)
    }
}
