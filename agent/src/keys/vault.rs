//! The store behind a time limit, with memory to fall back to.
//! A secret that the store would not take stays on the memory shelf, which is always read first: it is the newer one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::names::OrgName;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{MemoryStore, SecretStore, StoreError};
use crate::snapshot::KeyHome;

/// One secret of one org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Identity,
    /// The key of a join that may not be over, with the mark of its ticket.
    Joining,
    Refresh,
    Session,
}

impl Entry {
    /// Whatever an org leaves in a store.
    pub(crate) const ALL: &[Self] = &[Self::Refresh, Self::Session, Self::Joining, Self::Identity];

    /// Whether what has this name is what the device was enrolled with.
    fn is_a_key(name: &str) -> bool {
        name.ends_with("/identity") || name.ends_with("/joining")
    }

    fn name(self, org: &OrgName) -> String {
        let kind = match self {
            Self::Identity => "identity",
            Self::Joining => "joining",
            Self::Refresh => "refresh",
            Self::Session => "session",
        };
        format!("{org}/{kind}")
    }
}

/// What became of a secret that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Kept {
    Stored,
    /// Only until this process ends, because of this.
    InMemory(StoreError),
}

/// All secrets of this agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Vault {
    store: Arc<dyn SecretStore>,
    shelf: Arc<MemoryStore>,
    home: KeyHome,
    /// One call at a time: a thread that hangs behind a dialog must not be joined by others.
    turn: Arc<Semaphore>,
    limit: Duration,
}

impl Vault {
    pub(crate) fn new(store: Arc<dyn SecretStore>, home: KeyHome, limit: Duration) -> Self {
        Self {
            store,
            shelf: Arc::default(),
            home,
            turn: Arc::new(Semaphore::new(1)),
            limit,
        }
    }

    /// Where the keys of this device really are. What else is owed costs a sign-in at most.
    pub(crate) fn home(&self) -> KeyHome {
        if self.shelf.names().iter().any(|name| Entry::is_a_key(name)) {
            KeyHome::Memory
        } else {
            self.home
        }
    }

    pub(crate) async fn read(
        &self,
        org: &OrgName,
        entry: Entry,
    ) -> Result<Option<Zeroizing<String>>, StoreError> {
        let name = entry.name(org);
        if let Some(secret) = self.shelf.read(&name)? {
            return Ok(Some(secret));
        }
        self.call(move |store| store.read(&name)).await
    }

    pub(crate) async fn write(&self, org: &OrgName, entry: Entry, secret: &str) -> Kept {
        let name = entry.name(org);
        let copy = (name.clone(), Zeroizing::new(secret.to_owned()));
        let (shelf, before) = (
            Arc::clone(&self.shelf),
            self.shelf.read(&name).ok().flatten(),
        );
        let stored = self.call(move |store| {
            store.write(&copy.0, &copy.1)?;
            // Older than this one, or this one after its limit. In the same turn, so that nothing newer goes.
            shelf.delete_these(&copy.0, &before, &copy.1);
            Ok(())
        });
        match stored.await {
            Ok(()) => Kept::Stored,
            Err(error) => {
                let _ = self.shelf.write(&name, secret);
                Kept::InMemory(error)
            }
        }
    }

    pub(crate) async fn delete(&self, org: &OrgName, entry: Entry) -> Result<(), StoreError> {
        let name = entry.name(org);
        self.shelf.delete(&name)?;
        self.call(move |store| store.delete(&name)).await
    }

    /// Whether secrets are only in memory that belong into the store.
    pub(crate) fn owes(&self) -> bool {
        !self.shelf.is_empty()
    }

    /// Brings what is on the shelf into the store, which may take it by now. Says whether nothing is owed any more.
    pub(crate) async fn pay(&self) -> bool {
        for name in self.shelf.names() {
            let shelf = Arc::clone(&self.shelf);
            let paid = self.call(move |store| {
                // Read in the turn of the store: what was rotated meanwhile must not come back.
                if let Some(secret) = shelf.read(&name)? {
                    store.write(&name, &secret)?;
                    shelf.delete_these(&name, &None, &secret);
                }
                Ok(())
            });
            if paid.await.is_err() {
                return false;
            }
        }
        !self.owes()
    }

    /// Runs one blocking call. After the limit the thread is left behind its dialog, and the next call waits for it.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SecretStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        let turn = Arc::clone(&self.turn);
        let job = async {
            let permit = turn.acquire_owned().await.map_err(|_| StoreError::Absent)?;
            let thread = tokio::task::spawn_blocking(move || {
                let _turn = permit;
                work(&*store)
            });
            thread.await.unwrap_or(Err(StoreError::Absent))
        };
        timeout(self.limit, job)
            .await
            .unwrap_or(Err(StoreError::Locked))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("home", &self.home())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;
    use std::sync::mpsc;

    use super::*;

    /// A keyring whose dialog is answered when the test says so.
    struct Dialog(Mutex<mpsc::Receiver<()>>, MemoryStore);

    impl Dialog {
        fn wait(&self) {
            let _ = self.0.lock().unwrap().recv();
        }
    }

    impl SecretStore for Dialog {
        fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
            self.wait();
            self.1.read(name)
        }
        fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
            self.wait();
            self.1.write(name, secret)
        }
        fn delete(&self, name: &str) -> Result<(), StoreError> {
            self.wait();
            self.1.delete(name)
        }
    }

    struct NoKeyring;

    impl SecretStore for NoKeyring {
        fn read(&self, _: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
            Err(StoreError::Absent)
        }
        fn write(&self, _: &str, _: &str) -> Result<(), StoreError> {
            Err(StoreError::Absent)
        }
        fn delete(&self, _: &str) -> Result<(), StoreError> {
            Err(StoreError::Absent)
        }
    }

    fn acme() -> OrgName {
        "acme".parse().unwrap()
    }

    #[tokio::test]
    async fn a_locked_keyring_is_given_up_on_in_time_and_used_once_it_opens() {
        let (answer, answers) = mpsc::channel();
        let store = Arc::new(Dialog(Mutex::new(answers), MemoryStore::default()));
        let vault = Vault::new(store, KeyHome::Keyring, Duration::from_millis(20));

        let kept = vault.write(&acme(), Entry::Refresh, "new-token").await;
        let read = vault.read(&acme(), Entry::Refresh).await.unwrap().unwrap();

        assert_eq!(kept, Kept::InMemory(StoreError::Locked));
        assert_eq!(read.as_str(), "new-token");
        assert_eq!(vault.home(), KeyHome::Keyring, "no key is owed");
        assert!(vault.owes());
        assert_eq!(
            vault.read(&acme(), Entry::Identity).await,
            Err(StoreError::Locked)
        );

        drop(answer); // the dialog is answered: every call goes through from now on
        let patient = Vault {
            limit: Duration::from_secs(10),
            ..vault
        };
        let kept = patient.write(&acme(), Entry::Refresh, "newer").await;

        assert_eq!(kept, Kept::Stored);
        assert_eq!(patient.home(), KeyHome::Keyring);
        assert_eq!(
            patient
                .read(&acme(), Entry::Refresh)
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            "newer"
        );
    }

    #[tokio::test]
    async fn without_a_keyring_secrets_stay_in_memory_and_it_says_so() {
        let vault = Vault::new(
            Arc::new(NoKeyring),
            KeyHome::Keyring,
            Duration::from_secs(1),
        );

        let kept = vault.write(&acme(), Entry::Identity, "seed").await;

        assert_eq!(kept, Kept::InMemory(StoreError::Absent));
        assert_eq!(vault.home(), KeyHome::Memory);
        assert_eq!(
            vault
                .read(&acme(), Entry::Identity)
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            "seed"
        );
        assert_eq!(
            vault.read(&acme(), Entry::Refresh).await,
            Err(StoreError::Absent)
        );
    }

    #[tokio::test]
    async fn debug_shows_no_secret() {
        let vault = Vault::new(
            Arc::new(MemoryStore::default()),
            KeyHome::Memory,
            Duration::from_secs(1),
        );
        let _ = vault.write(&acme(), Entry::Identity, "canary-5f2e").await;

        assert!(!format!("{vault:?}").contains("canary"));
    }

    /// A keyring that comes late: absent until the test says so.
    #[derive(Default)]
    struct Late(std::sync::atomic::AtomicBool, MemoryStore);

    impl Late {
        fn there(&self) -> Result<&MemoryStore, StoreError> {
            let is_there = self.0.load(std::sync::atomic::Ordering::SeqCst);
            is_there.then_some(&self.1).ok_or(StoreError::Absent)
        }
    }

    impl SecretStore for Late {
        fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
            self.there()?.read(name)
        }
        fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
            self.there()?.write(name, secret)
        }
        fn delete(&self, name: &str) -> Result<(), StoreError> {
            self.there()?.delete(name)
        }
    }

    #[tokio::test]
    async fn what_waited_in_memory_is_kept_for_good_once_the_keyring_is_there() {
        let store = Arc::new(Late::default());
        let vault = Vault::new(
            Arc::clone(&store) as Arc<dyn SecretStore>,
            KeyHome::Keyring,
            Duration::from_secs(5),
        );
        let kept = vault.write(&acme(), Entry::Identity, "seed").await;
        assert_eq!(kept, Kept::InMemory(StoreError::Absent));
        assert!(!vault.pay().await && vault.owes());

        store.0.store(true, std::sync::atomic::Ordering::SeqCst);

        assert!(vault.pay().await);
        assert_eq!(vault.home(), KeyHome::Keyring);
        assert_eq!(
            store.1.read("acme/identity").unwrap().unwrap().as_str(),
            "seed"
        );
    }
}
