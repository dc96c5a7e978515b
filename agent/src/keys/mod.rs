//! Where the device's secrets live: identity key, refresh token, session; one entry each.
//! A newcomer would call the keyring from async code: a locked one waits behind a dialog, so every call runs on its own thread with a time limit.

mod file;
mod keyring;
mod memory;
mod vault;

pub(crate) use file::FileStore;
pub(crate) use keyring::KeyringStore;
pub(crate) use memory::MemoryStore;
pub(crate) use vault::{Entry, Kept, Vault};

use std::time::Duration;

use zeroize::Zeroizing;

/// How long a keyring may take. A person at its dialog takes longer: then it is said, and asked again later.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Why a store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// Waiting behind a dialog, or the dialog was dismissed.
    #[error("the keyring is locked")]
    Locked,
    /// Something that never says no either: its process hangs.
    #[error("the keyring does not answer")]
    Silent,
    #[error("there is no keyring")]
    Absent,
    /// Windows keeps at most 2,560 bytes an entry.
    #[error("the entry is too large for the keyring")]
    TooLarge,
    #[error("the entry is damaged")]
    Damaged,
    #[error("the key file is refused: {0}")]
    File(#[from] tidegate_link::keyfile::KeyFileError),
}

/// A place for secrets. Calls may block for as long as a person looks at a dialog.
pub(crate) trait SecretStore: Send + Sync + 'static {
    /// The secret under `name`, `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot say.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError>;

    /// Puts `secret` under `name`, durably.
    ///
    /// # Errors
    /// When it is not certain that the secret was stored.
    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError>;

    /// Removes what is under `name`; nothing there is no error.
    ///
    /// # Errors
    /// When it may still be there.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}
