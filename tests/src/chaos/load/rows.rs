//! The rows that are copied: each follows from its number and a seed, here and in the database, so every byte can be foretold.
//! A row is its number and four times a SHA-256 with a mark between: what moves within a row shows too.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// The second column, in the database's words; `g` is the row's number.
pub(super) fn in_sql(seed: u64) -> String {
    let hash = format!("encode(sha256((g::text || '/{seed}')::bytea), 'hex')");
    format!("{hash} || 'a' || {hash} || 'b' || {hash} || 'c' || {hash}")
}

/// As COPY writes it, its end of line included.
pub(super) fn row(number: u64, seed: u64) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let text = format!("{number}/{seed}");
    let mut hash = Vec::with_capacity(64);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        hash.push(DIGITS[usize::from(byte >> 4)]);
        hash.push(DIGITS[usize::from(byte & 15)]);
    }
    let mut row = Vec::with_capacity(280);
    row.extend_from_slice(number.to_string().as_bytes());
    row.push(b'\t');
    for mark in [b'a', b'b', b'c', b'\n'] {
        row.extend_from_slice(&hash);
        row.push(mark);
    }
    row
}

/// Compares what comes with what must come, byte by byte.
pub(super) struct Reading {
    seed: u64,
    rows: u64,
    next: u64,
    /// Of the row that is being read.
    left: Vec<u8>,
}

impl Reading {
    pub(super) fn of(rows: u64, seed: u64) -> Self {
        Self {
            seed,
            rows,
            next: 0,
            left: Vec::new(),
        }
    }

    /// # Errors
    /// Where the first wrong byte is, and what came in its place.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.left.is_empty() {
                if self.next == self.rows {
                    return Err(self.but("more than was asked for", bytes));
                }
                self.left = row(self.next, self.seed);
                self.next += 1;
            }
            let size = bytes.len().min(self.left.len());
            if bytes[..size] != self.left[..size] {
                return Err(self.but("another row", bytes));
            }
            self.left.drain(..size);
            bytes = &bytes[size..];
        }
        Ok(())
    }

    /// # Errors
    /// When something is missing.
    pub(super) fn end(&self) -> Result<(), String> {
        match self.next == self.rows && self.left.is_empty() {
            true => Ok(()),
            false => Err(self.but("the end", &[])),
        }
    }

    fn but(&self, what: &str, bytes: &[u8]) -> String {
        let mut told = format!("at row {} of {} came {what}", self.next, self.rows);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        let _ = write!(told, ": {shown:?}");
        told
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn all(rows: u64) -> Vec<u8> {
        (0..rows).flat_map(|number| row(number, 5)).collect()
    }

    #[test]
    fn what_is_true_is_taken_in_whatever_pieces() {
        for size in [1, 7, 1000] {
            let mut reading = Reading::of(20, 5);
            for piece in all(20).chunks(size) {
                reading.take(piece).unwrap();
            }
            reading.end().unwrap();
        }
    }

    #[test]
    fn a_byte_that_is_wrong_lost_doubled_or_out_of_order_is_found() {
        let true_bytes = all(20);
        let mut wrong = true_bytes.clone();
        wrong[700] ^= 1;
        let mut lost = true_bytes.clone();
        lost.remove(700);
        let mut doubled = true_bytes.clone();
        doubled.insert(700, true_bytes[700]);
        let mut reordered = true_bytes.clone();
        // By a whole hash and its mark.
        let (one, other) = (300, 365);
        for place in 0..65 {
            reordered.swap(one + place, other + place);
        }
        let short = true_bytes[..true_bytes.len() - 1].to_vec();

        for bytes in [wrong, lost, doubled, reordered, short] {
            let mut reading = Reading::of(20, 5);
            let taken = reading.take(&bytes).and_then(|()| reading.end());
            assert!(taken.is_err());
        }
    }
}
