//! Whether a secret can be put away and found again, where this person keeps them.
//! A locked keyring waits behind a dialog: the call runs on its own thread, and the dialog is left to the person.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Patient};
use crate::KeyStoreKind;
use crate::keys::{FileStore, KeyringStore, SecretStore, StoreError};
use crate::problems;

const NAME: &str = "keyring";
/// A keyring that takes longer shows a dialog.
const LIMIT: Duration = Duration::from_secs(5);
/// Not an org's name, so no key can be hit.
const PROBE: &str = "doctor:probe";

pub(super) async fn check(patient: &Patient) -> Check {
    match patient.keys {
        KeyStoreKind::Keyring => of(twice(tried).await),
        KeyStoreKind::Memory => Check::warn(
            NAME,
            "Keys are kept in memory and are gone when the agent ends.",
            "Start without `--keys memory`, and join again.",
        ),
        KeyStoreKind::File => match FileStore::new(patient.places.key_file()).read(PROBE) {
            Ok(_) => Check::ok(
                NAME,
                "Keys are in a file that only you can read; it is not encrypted.",
            ),
            Err(error) => Check::problem(NAME, &problems::of_store(error)),
        },
    }
}

/// The keyring of this session, or the file where that was asked for.
pub(super) fn store(patient: &Patient) -> Option<Arc<dyn SecretStore>> {
    match patient.keys {
        KeyStoreKind::Keyring => Some(Arc::new(KeyringStore)),
        KeyStoreKind::File => Some(Arc::new(FileStore::new(patient.places.key_file()))),
        KeyStoreKind::Memory => None,
    }
}

/// A keyring on a busy computer misses its time on the bus now and then: that it is not there must be true twice.
async fn twice<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    match ask().await {
        Err(StoreError::Absent | StoreError::Silent) => ask().await,
        first => first,
    }
}

async fn tried() -> Result<(), StoreError> {
    let job = tokio::task::spawn_blocking(|| {
        KeyringStore.write(PROBE, "not a secret")?;
        let found = KeyringStore.read(PROBE)?;
        KeyringStore.delete(PROBE)?;
        found.map(drop).ok_or(StoreError::Damaged)
    });
    match timeout(LIMIT, job).await {
        Ok(Ok(tried)) => tried,
        Ok(Err(_)) => Err(StoreError::Absent),
        Err(_) => Err(StoreError::Locked),
    }
}

fn of(tried: Result<(), StoreError>) -> Check {
    match tried {
        Ok(()) => Check::ok(NAME, "It keeps secrets and gives them back."),
        Err(StoreError::Damaged) => Check::fail(
            NAME,
            "It takes secrets and does not give them back.",
            "Open your system's password manager and look whether its default collection works.",
        ),
        Err(error) => {
            let problem = problems::of_store(error);
            // For the app it is a warning, since it goes on; a person who asks wants to know that nothing will be kept.
            Check {
                verdict: super::Verdict::Fail,
                ..Check::problem(NAME, &problem)
            }
        }
    }
}

/// What a store says about one entry of an org.
pub(super) async fn has(store: Arc<dyn SecretStore>, entry: String) -> Result<bool, StoreError> {
    twice(async || found(Arc::clone(&store), entry.clone()).await).await
}

async fn found(store: Arc<dyn SecretStore>, entry: String) -> Result<bool, StoreError> {
    let job = tokio::task::spawn_blocking(move || store.read(&entry).map(|found| found.is_some()));
    match timeout(LIMIT, job).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(StoreError::Absent),
        Err(_) => Err(StoreError::Locked),
    }
}
