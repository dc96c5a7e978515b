//! Where the device's secrets live: identity key, refresh token, session; one entry each.
//! A newcomer would call the keyring from async code: a locked one waits behind a dialog, so every call runs on its own thread with a time limit.

mod file;
mod keyring;
mod memory;
mod vault;

pub use file::FileStore;
pub use keyring::KeyringStore;
pub use memory::MemoryStore;
pub(crate) use vault::{Entry, Kept, Vault};

use zeroize::Zeroizing;

/// Why a store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Waiting behind a dialog, or the dialog was dismissed.
    #[error("the keyring is locked")]
    Locked,
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
pub trait SecretStore: Send + Sync + 'static {
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
