//! Secrets that end with the process.
//! Also the shelf a `Vault` falls back to: what stands here is newer than what any store holds.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::{SecretStore, StoreError};

#[derive(Default)]
pub(crate) struct MemoryStore {
    entries: Mutex<BTreeMap<String, Zeroizing<String>>>,
}

impl MemoryStore {
    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    /// Removes what is under `name`, unless it is newer than both by now.
    pub(super) fn delete_these(&self, name: &str, old: &Option<Zeroizing<String>>, secret: &str) {
        let mut entries = self.entries();
        let is_newer = |kept: &Zeroizing<String>| {
            let is_old = old.as_ref().is_some_and(|old| old == kept);
            !is_old && kept.as_str() != secret
        };
        if !entries.get(name).is_some_and(is_newer) {
            entries.remove(name);
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Zeroizing<String>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for MemoryStore {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        Ok(self.entries().get(name).cloned())
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        self.entries()
            .insert(name.to_owned(), Zeroizing::new(secret.to_owned()));
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.entries().remove(name);
        Ok(())
    }
}
