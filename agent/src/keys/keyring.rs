//! The operating system's keyring: Secret Service, Keychain, Credential Manager.
//! Entries are made anew for each call: a keyring that was locked at login must work once it is unlocked.

use ::keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::{SecretStore, StoreError};
use crate::platform::bus::is_silence;

const SERVICE: &str = "tidegate";

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyringStore;

impl SecretStore for KeyringStore {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
        match entry(name)?.get_password() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(meaning(&error)),
        }
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        entry(name)?
            .set_password(secret)
            .map_err(|error| meaning(&error))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(meaning(&error)),
        }
    }
}

fn entry(name: &str) -> Result<Entry, StoreError> {
    Entry::new(SERVICE, name).map_err(|error| meaning(&error))
}

fn meaning(error: &Error) -> StoreError {
    match error {
        Error::NoStorageAccess(_) => StoreError::Locked,
        Error::TooLong(..) => StoreError::TooLarge,
        Error::BadEncoding(_) | Error::Ambiguous(_) | Error::Invalid(..) => StoreError::Damaged,
        Error::PlatformFailure(error) if is_silence(&**error) => StoreError::Silent,
        _ => StoreError::Absent,
    }
}
