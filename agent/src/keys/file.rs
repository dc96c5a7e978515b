//! Secrets in one 0600 file, for servers and tests that ask for it; never a silent fallback.
//! Nothing encrypts it: whoever can read this user's files has the keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tidegate_link::keyfile::{self, KeyFileError};
use zeroize::Zeroizing;

use super::{SecretStore, StoreError};

/// Largest key file that is read, in bytes.
const LIMIT: usize = 256 * 1024;

type Entries = BTreeMap<String, Zeroizing<String>>;

pub(crate) struct FileStore {
    path: PathBuf,
    /// Read, change, replace is one step.
    turn: Mutex<()>,
}

impl FileStore {
    /// A store in `path`, whose directory must be this user's alone.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            turn: Mutex::new(()),
        }
    }

    fn load(&self) -> Result<Entries, StoreError> {
        match keyfile::read(&self.path, LIMIT) {
            Ok(json) => serde_json::from_slice(&json).map_err(|_| StoreError::Damaged),
            Err(KeyFileError::Missing) => Ok(Entries::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// `change` says whether it did: the same is not written again.
    fn change(&self, change: impl FnOnce(&mut Entries) -> bool) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.load()?;
        if !change(&mut entries) {
            return Ok(());
        }
        let json = Zeroizing::new(serde_json::to_vec(&entries).map_err(|_| StoreError::Damaged)?);
        Ok(keyfile::replace(&self.path, &json)?)
    }
}

impl SecretStore for FileStore {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        Ok(self.load()?.remove(name))
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        self.change(|entries| {
            entries.insert(name.to_owned(), Zeroizing::new(secret.to_owned()));
            true
        })
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.change(|entries| entries.remove(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_there_is_deleted_without_writing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");

        FileStore::new(path.clone())
            .delete("acme/identity")
            .unwrap();

        assert!(!path.exists());
    }

    #[test]
    fn keeps_entries_over_a_restart_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        FileStore::new(path.clone())
            .write("acme/identity", "seed")
            .unwrap();
        FileStore::new(path.clone())
            .write("acme/refresh", "token")
            .unwrap();

        let store = FileStore::new(path.clone());
        store.delete("acme/refresh").unwrap();

        assert_eq!(
            store.read("acme/identity").unwrap().unwrap().as_str(),
            "seed"
        );
        assert!(store.read("acme/refresh").unwrap().is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        let store = FileStore::new(path.clone());
        store.write("acme/identity", "seed").unwrap();

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();

        assert_eq!(
            store.read("acme/identity"),
            Err(StoreError::File(KeyFileError::OpenToOthers))
        );
    }
}
