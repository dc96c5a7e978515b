//! What the agent remembers between starts: which hub it joined, what it has seen, the catalogue for the menu. No secret.
//! It is replaced as a whole or not at all, and a damaged file is said to be damaged, never quietly started over.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::identity::{PeerId, VerifyKey};
use tidegate_proto::names::{HubAddress, OrgName};
use tidegate_proto::problem::{Code, Problem};

use crate::hub::api::HubIdentity;
use crate::hub::trust::Trust;

/// Largest state file that is read, in bytes.
const LIMIT: usize = 8 << 20;

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
    /// What the authority calls this device.
    pub(crate) device: String,
    /// Who signed in last.
    pub(crate) last: Option<String>,
    pub(crate) trust: Trust,
    /// The last catalogue, so that the menu has services before sign-in.
    pub(crate) services: Vec<CatalogueEntry>,
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

/// The state file.
pub(crate) struct Disk {
    path: PathBuf,
    /// What the file holds, so that the same is not written twice.
    written: Option<Membership>,
}

impl Disk {
    /// Opens the data directory, which must be this user's alone.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Option<Membership>), Problem> {
        keyfile::private_directory(dir).map_err(|error| unusable(dir, error))?;
        let path = dir.join("state.json");
        let membership = match keyfile::read(&path, LIMIT) {
            Ok(json) => {
                let parsed = serde_json::from_slice::<Membership>(&json);
                Some(parsed.map_err(|_| {
                    Problem::new(Code::DataDirUnusable).path(&path.display().to_string())
                })?)
            }
            Err(KeyFileError::Missing) => None,
            Err(error) => return Err(unusable(&path, error)),
        };
        Ok((
            Self {
                path,
                written: membership.clone(),
            },
            membership,
        ))
    }

    pub(crate) fn save(&mut self, membership: &Membership) -> Result<(), Problem> {
        if self.written.as_ref() == Some(membership) {
            return Ok(());
        }
        let json =
            serde_json::to_vec_pretty(membership).map_err(|_| Problem::new(Code::Internal))?;
        keyfile::replace(&self.path, &json).map_err(|error| unusable(&self.path, error))?;
        self.written = Some(membership.clone());
        Ok(())
    }

    /// Forgets the org.
    pub(crate) fn forget(&mut self) {
        // A file that is gone already is what we want.
        let _ = std::fs::remove_file(&self.path);
        self.written = None;
    }
}

fn unusable(path: &Path, error: KeyFileError) -> Problem {
    let code = match error {
        KeyFileError::OpenToOthers | KeyFileError::ForeignOwner | KeyFileError::Symlink => {
            Code::KeyFileOpen
        }
        _ => Code::DataDirUnusable,
    };
    Problem::new(code).path(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn membership() -> Membership {
        Membership {
            org: "acme".parse().unwrap(),
            hub: "hub.example:443".parse().unwrap(),
            root: PeerId::new([3; 32]).unwrap(),
            root_key: None,
            device: "laptop".into(),
            last: None,
            trust: Trust::default(),
            services: vec![],
        }
    }

    #[test]
    fn remembers_and_forgets() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let (mut disk, none) = Disk::open(&data).unwrap();
        disk.save(&membership()).unwrap();

        let (mut again, found) = Disk::open(&data).unwrap();
        again.forget();

        assert_eq!(none, None);
        assert_eq!(found, Some(membership()));
        assert_eq!(Disk::open(&data).unwrap().1, None);
    }

    #[test]
    fn the_hub_is_held_to_the_newest_root_that_was_seen() {
        let newer = tidegate_proto::identity::SigningKey::from_seed(&[8; 32]).verify_key();
        let before = membership();
        let after = Membership {
            root_key: Some(newer),
            ..membership()
        };

        assert_eq!(before.hub().root, before.root);
        assert_eq!(after.hub().root, newer.peer_id());
    }

    #[test]
    fn a_damaged_file_is_named_and_not_started_over() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Disk::open(&data).unwrap().0.save(&membership()).unwrap();
        keyfile::replace(&data.join("state.json"), b"{\"org\":").unwrap();

        let problem = Disk::open(&data).err().unwrap();

        assert_eq!(problem.code, Code::DataDirUnusable);
        assert!(problem.facts.path.unwrap().as_str().ends_with("state.json"));
    }

    #[cfg(unix)]
    #[test]
    fn a_state_file_or_directory_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Disk::open(&data).unwrap().0.save(&membership()).unwrap();
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
        };

        open(&data.join("state.json"), 0o644);
        assert_eq!(Disk::open(&data).err().unwrap().code, Code::KeyFileOpen);
        open(&data, 0o755);
        assert_eq!(Disk::open(&data).err().unwrap().code, Code::KeyFileOpen);
    }
}
