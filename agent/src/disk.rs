//! What the agent remembers of an org between starts: its hub, what it has seen, the catalogue for the menu. No secret.
//! It is replaced as a whole or not at all, and a damaged file is said to be damaged, never quietly started over.

mod names;
mod orgs;

pub use names::{NameOf, names_on_disk, of_service};
pub(crate) use orgs::{Found, Orgs};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::identity::{PeerId, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{DeviceChain, Promised};

use crate::hub::api::HubIdentity;
use crate::hub::trust::Trust;
use crate::problems;

/// Largest state file that is read, in bytes.
const LIMIT: usize = 8 << 20;
const STATE: &str = "state.json";
/// What the state file becomes when its org is left, until nothing of it is there any more.
const LEFT: &str = "left.json";

/// A joined org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Membership {
    pub(crate) org: OrgName,
    pub(crate) hub: HubAddress,
    /// Fingerprint of the root key, as the join link said.
    pub(crate) root: PeerId,
    /// The newest root key that was walked to from it.
    pub(crate) root_key: Option<VerifyKey>,
    /// What the authority calls this device; empty while another one has to let it in.
    pub(crate) device: String,
    /// How it came to be one; `None` where an earlier version joined and kept nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<DeviceChain>,
    /// Who signed in last.
    pub(crate) last: Option<String>,
    /// Nobody is signed in, whatever the keyring still holds: one that is locked deletes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed_out: bool,
    pub(crate) trust: Trust,
    /// The last catalogue, so that the menu has services before sign-in.
    pub(crate) services: Vec<CatalogueEntry>,
    /// What the ticket named, shown until the first catalogue takes its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) promised: Vec<Promised>,
}

impl Membership {
    /// The hub, held to the newest root that was seen: a chain that ends before it is an old one.
    pub(crate) fn hub(&self) -> HubIdentity {
        let root = self.root_key.map_or(self.root, |key| key.peer_id());
        HubIdentity {
            address: self.hub.clone(),
            org: self.org.clone(),
            root,
        }
    }
}

/// An org's directory, with its state file.
pub(crate) struct Disk {
    dir: PathBuf,
    /// What the file holds, so that the same is not written twice.
    written: Option<Membership>,
    /// The last one could not be written.
    behind: bool,
}

impl Disk {
    /// The directory of an org that this agent works for; nobody else writes in there.
    fn new(dir: PathBuf, written: Option<Membership>) -> Self {
        Self {
            dir,
            written,
            behind: false,
        }
    }

    fn read(path: &Path) -> Result<Option<Membership>, Problem> {
        match keyfile::read(path, LIMIT) {
            Ok(json) => serde_json::from_slice(&json)
                .map(Some)
                .map_err(|_| Problem::new(Code::OrgUnreadable).path(&path.display().to_string())),
            Err(KeyFileError::Missing) => Ok(None),
            Err(error) => Err(unusable(path, error)),
        }
    }

    /// Held while a refresh token is traded in.
    pub(crate) fn refresh_lock(&self) -> PathBuf {
        self.dir.join("refresh.lock")
    }

    fn state_file(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    /// Whether something has to be saved again, because it could not be.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    pub(crate) fn save(&mut self, membership: &Membership) -> Result<(), Problem> {
        let saved = self.write(membership);
        self.behind = saved.is_err();
        saved
    }

    fn write(&mut self, membership: &Membership) -> Result<(), Problem> {
        // An owner that still says goodbye has nothing to keep.
        if self.written.as_ref() == Some(membership) || self.dir.join(LEFT).exists() {
            return Ok(());
        }
        let json =
            serde_json::to_vec_pretty(membership).map_err(|_| Problem::new(Code::Internal))?;
        keyfile::private_directory(&self.dir).map_err(|error| unusable(&self.dir, error))?;
        let path = self.state_file();
        keyfile::replace(&path, &json).map_err(|error| unusable(&path, error))?;
        self.written = Some(membership.clone());
        Ok(())
    }
}

fn unusable(path: &Path, error: KeyFileError) -> Problem {
    let code = problems::of_file(error);
    Problem::new(code).path(&path.display().to_string())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(super) fn membership(org: &str) -> Membership {
        Membership {
            org: org.parse().unwrap(),
            hub: "hub.example:443".parse().unwrap(),
            root: PeerId::new([3; 32]).unwrap(),
            root_key: None,
            device: "laptop".into(),
            chain: None,
            last: None,
            signed_out: false,
            trust: Trust::default(),
            services: vec![],
            promised: vec![],
        }
    }

    #[test]
    fn the_hub_is_held_to_the_newest_root_that_was_seen() {
        let newer = tidegate_proto::identity::SigningKey::from_seed(&[8; 32]).verify_key();
        let before = membership("acme");
        let after = Membership {
            root_key: Some(newer),
            ..membership("acme")
        };

        assert_eq!(before.hub().root, before.root);
        assert_eq!(after.hub().root, newer.peer_id());
    }
}
