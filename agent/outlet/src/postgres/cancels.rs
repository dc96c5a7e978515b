//! Which of our cancel keys stands for which backend, for all portals of one service.
//! A key lives exactly as long as its portal: the guard forgets it.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_postgres::{BackendKey, CancelKey, CancelTable, Version};
use tidegate_proto::entropy::Entropy;
use tidegate_proto::names::Subject;

use super::fault::Fault;
use super::route::Route;
use crate::dial::Spent;

/// Portals of one service at one time.
const MOST: usize = 10_000;

/// A backend at the database, and the way there.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) key: BackendKey,
    pub(super) route: Arc<Route>,
    /// The right to end what was begun.
    pub(super) spent: Spent,
}

#[derive(Clone)]
pub(super) struct Cancels(Arc<Mutex<CancelTable<Subject, Option<Backend>>>>);

impl Cancels {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(CancelTable::new(MOST))))
    }

    /// Makes a key for `who`; poolers that give none get one that cancels nothing.
    pub(super) fn register(
        &self,
        who: &Subject,
        backend: Option<Backend>,
        version: Version,
        entropy: &dyn Entropy,
    ) -> Result<Registered, Fault> {
        let mut random = |out: &mut [u8]| entropy.fill(out);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = table
            .register(who.clone(), backend, version, &mut random)
            .map_err(|_| Fault::TooMany)?;
        Ok(Registered {
            cancels: self.clone(),
            ours,
        })
    }

    /// The backend that `key` stands for, if it is `who`'s own.
    pub(super) fn find(&self, key: &CancelKey, who: &Subject) -> Option<Backend> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.find(key, who).cloned().flatten()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A key while its portal lives.
pub(super) struct Registered {
    cancels: Cancels,
    pub(super) ours: BackendKey,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut table = self
            .cancels
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        table.forget(&self.ours);
    }
}
