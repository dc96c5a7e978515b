//! Buffers that many connections share: held only while bytes are in flight, so an idle connection costs none.
//! The pool bounds what is kept for reuse, not what is in use; each connection's own limit bounds that.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};
use tidegate_proto::channel::MAX_RECORD;

/// Room for four of the largest records with their lengths: fewer system calls, still inside the L2 cache.
pub(crate) const SIZE: usize = 4 * (MAX_RECORD + 2);
/// Buffers of each kind kept for reuse: 8 MiB at most.
const KEPT: usize = 32;

static FULL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static EMPTY: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// `SIZE` initialised bytes to read into.
pub(crate) struct ReadBuffer(Vec<u8>);

impl ReadBuffer {
    pub(crate) fn take() -> Self {
        Self(take(&FULL).unwrap_or_else(|| vec![0; SIZE]))
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        give_back(&FULL, mem::take(&mut self.0));
    }
}

/// An empty vector with room for `SIZE` bytes to append to.
pub(crate) struct WriteBuffer(Vec<u8>);

impl WriteBuffer {
    pub(crate) fn take() -> Self {
        Self(take(&EMPTY).unwrap_or_else(|| Vec::with_capacity(SIZE)))
    }
}

impl Deref for WriteBuffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for WriteBuffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.0);
        bytes.clear();
        // One that grew for an oversized burst is not worth keeping.
        if bytes.capacity() <= 2 * SIZE {
            give_back(&EMPTY, bytes);
        }
    }
}

fn take(pool: &Mutex<Vec<Vec<u8>>>) -> Option<Vec<u8>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn give_back(pool: &Mutex<Vec<Vec<u8>>>, buffer: Vec<u8>) {
    let mut kept = pool.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < KEPT {
        kept.push(buffer);
    }
}
