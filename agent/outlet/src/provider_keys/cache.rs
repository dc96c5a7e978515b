//! The provider's keys on disk, so that a restart without a way to the provider still knows people.
//! Whoever can write this file could invent people: it is read only if nobody else can change it.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::idtoken::MAX_KEY_SET;
use tidegate_proto::time::UnixTime;

const FILE: &str = "provider-keys.json";

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    pub(super) issuer: String,
    pub(crate) fetched: UnixTime,
    /// As the provider sent it.
    pub(super) jwks: String,
}

impl Cache {
    /// What is there, if it can be used; a cache that cannot is no reason to stop.
    pub(crate) async fn load(data: PathBuf) -> Option<Self> {
        tokio::task::spawn_blocking(move || Self::read(&data))
            .await
            .ok()?
    }

    fn read(data: &Path) -> Option<Self> {
        match keyfile::read(&data.join(FILE), 3 * MAX_KEY_SET) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(KeyFileError::Missing) => None,
            Err(error) => {
                tracing::warn!(%error, "cached provider keys were not used");
                None
            }
        }
    }

    pub(super) async fn store(self, data: PathBuf) {
        let written = tokio::task::spawn_blocking(move || {
            let bytes = serde_json::to_vec(&self).expect("texts and a number serialise");
            keyfile::replace(&data.join(FILE), &bytes)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "provider keys were not cached");
        }
    }
}
