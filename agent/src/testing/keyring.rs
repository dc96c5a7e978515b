//! A keyring that is locked or silent, and holds up who writes, when the test says so.
//! Nothing here waits behind a dialog: a locked one says no at once, as one whose dialog was dismissed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::keys::{MemoryStore, SecretStore, StoreError};

#[derive(Default)]
pub(crate) struct Keyring {
    inner: MemoryStore,
    locked: AtomicBool,
    /// Too busy to answer.
    silent: AtomicBool,
    /// There is none.
    absent: AtomicBool,
    /// Held while nothing may be written.
    gate: Mutex<()>,
    /// Writes that came since it was held, and calls that were answered.
    calls: watch::Sender<(usize, usize)>,
}

/// A gate that stays shut; only threads of the vault wait at it, never the test's own tasks.
pub(crate) struct Held<'a> {
    _gate: std::sync::MutexGuard<'a, ()>,
}

impl Keyring {
    pub(crate) fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }

    pub(crate) fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    pub(crate) fn take_away(&self, absent: bool) {
        self.absent.store(absent, Ordering::SeqCst);
    }

    /// Whoever writes waits until this is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.calls.send_modify(|(came, _)| *came = 0);
        Held {
            _gate: self.gate.lock().unwrap(),
        }
    }

    /// Waits for one that writes and has to wait.
    pub(crate) async fn is_written_to(&self) {
        let mut calls = self.calls.subscribe();
        calls.wait_for(|(came, _)| *came > 0).await.unwrap();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.inner.read(name).unwrap().is_some()
    }

    pub(crate) fn secret(&self, name: &str) -> Option<Zeroizing<String>> {
        self.inner.read(name).unwrap()
    }

    /// Waits until the keyring is as it should be.
    pub(crate) async fn until(&self, fits: impl Fn(&Self) -> bool) {
        let mut calls = self.calls.subscribe();
        let patience = std::time::Duration::from_secs(20);
        let found = async { calls.wait_for(|_| fits(self)).await.map(drop) };
        let found = tokio::time::timeout(patience, found).await;
        found
            .expect("the keyring never became what it should be")
            .unwrap();
    }

    fn call<T>(
        &self,
        work: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let result = if is(&self.absent) {
            Err(StoreError::Absent)
        } else if is(&self.silent) {
            Err(StoreError::Silent)
        } else if is(&self.locked) {
            Err(StoreError::Locked)
        } else {
            work(&self.inner)
        };
        self.calls.send_modify(|(_, answered)| *answered += 1);
        result
    }
}

impl SecretStore for Keyring {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        self.call(|store| store.read(name))
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        self.calls.send_modify(|(came, _)| *came += 1);
        let open = self.gate.lock().unwrap();
        drop(open);
        self.call(|store| store.write(name, secret))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.call(|store| store.delete(name))
    }
}
