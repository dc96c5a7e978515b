//! Cancel keys: the pair a program holds is ours, the pair behind it is the server's.
//! Knowing a pair is not enough: only the principal it was given to may use it.

use std::collections::HashMap;

use subtle::ConstantTimeEq as _;

use crate::message::push_counted;
use crate::startup::Version;

const CANCEL: u32 = 1234 << 16 | 5678;
/// Version 3.0 has room for four bytes, 3.2 for up to 256; ours are then as long as PostgreSQL's.
const SHORT: usize = 4;
const LONG: usize = 32;
const LONGEST: usize = 256;

/// What a `CancelRequest` carries. No `Debug`: it is a secret.
#[derive(PartialEq, Eq)]
pub struct CancelKey {
    pid: u32,
    secret: Vec<u8>,
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CancelKey(..)")
    }
}

impl CancelKey {
    /// Reads what follows the code: process id and secret.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (pid, secret) = bytes.split_first_chunk::<4>()?;
        let sound = (SHORT..=LONGEST).contains(&secret.len());
        sound.then(|| Self {
            pid: u32::from_be_bytes(*pid),
            secret: secret.to_vec(),
        })
    }

    /// The whole packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cancel_packet(self.pid, &self.secret)
    }
}

/// What a server's `BackendKeyData` carries: which backend, and the right to cancel it.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendKey {
    pid: u32,
    secret: Vec<u8>,
}

impl std::fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendKey")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

impl BackendKey {
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        CancelKey::parse(body).map(|CancelKey { pid, secret }| Self { pid, secret })
    }

    /// The backend's process id at the server, or at a pooler what stands for it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The `CancelRequest` for this backend.
    #[must_use]
    pub fn cancel_request(&self) -> Vec<u8> {
        cancel_packet(self.pid, &self.secret)
    }

    pub(crate) fn push(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(&self.pid.to_be_bytes());
        body.extend_from_slice(&self.secret);
    }
}

fn cancel_packet(pid: u32, secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    push_counted(&mut out, |body| {
        body.extend_from_slice(&CANCEL.to_be_bytes());
        body.extend_from_slice(&pid.to_be_bytes());
        body.extend_from_slice(secret);
    });
    out
}

/// Too many running connections to hand out another pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cancel table is full")]
pub struct CancelTableFull;

struct Entry<Who, Upstream> {
    secret: Vec<u8>,
    who: Who,
    upstream: Upstream,
}

/// Which pair stands for which principal's backend.
pub struct CancelTable<Who, Upstream> {
    entries: HashMap<u32, Entry<Who, Upstream>>,
    capacity: usize,
}

impl<Who: PartialEq, Upstream> CancelTable<Who, Upstream> {
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
        }
    }

    /// Makes a new pair for `who`'s connection. `random` must fill its slice from a CSPRNG.
    ///
    /// # Errors
    /// When `capacity` pairs are out already.
    pub fn register(
        &mut self,
        who: Who,
        upstream: Upstream,
        version: Version,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<BackendKey, CancelTableFull> {
        if self.entries.len() >= self.capacity {
            return Err(CancelTableFull);
        }
        let pid = self.free_pid(random);
        let mut secret = vec![
            0;
            if version.has_long_cancel_keys() {
                LONG
            } else {
                SHORT
            }
        ];
        random(&mut secret);
        self.entries.insert(
            pid,
            Entry {
                secret: secret.clone(),
                who,
                upstream,
            },
        );
        Ok(BackendKey { pid, secret })
    }

    /// Positive for clients that read it signed.
    fn free_pid(&self, random: &mut dyn FnMut(&mut [u8])) -> u32 {
        let mut draw = [0; 4];
        random(&mut draw);
        let mut pid = u32::from_be_bytes(draw) & 0x7fff_ffff;
        while pid == 0 || self.entries.contains_key(&pid) {
            pid = (pid + 1) & 0x7fff_ffff;
        }
        pid
    }

    /// What `key` stands for, if it is `who`'s. Takes the same time for every wrong secret.
    #[must_use]
    pub fn find(&self, key: &CancelKey, who: &Who) -> Option<&Upstream> {
        let entry = self.entries.get(&key.pid)?;
        let right_secret = bool::from(entry.secret.ct_eq(&key.secret));
        (right_secret & (entry.who == *who)).then_some(&entry.upstream)
    }

    /// The connection is over: its pair cancels nothing any more.
    pub fn forget(&mut self, key: &BackendKey) {
        self.entries.remove(&key.pid);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
#[path = "tests/cancel.rs"]
mod tests;
