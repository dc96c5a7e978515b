//! The owner's policy: read at the start and again on SIGHUP. It has the last word.
//! Signed by the owner's key it can lie anywhere; unsigned, whoever can write the file is the owner, and outlet.toml says so.

use crate::config::{OutletConfig, Owner};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use tidegate_proto::identity::{PeerId, VerifyKey};
use tidegate_proto::names::OrgName;
use tidegate_proto::policy::{MAX_POLICY, PolicyError, Rules, Side};
use tidegate_proto::statement::{PolicyStatement, Statement, StatementError};

/// Why the owner's policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    #[error("the owner's policy {} cannot be read: {kind:?}", .0.display(), kind = .1)]
    Unreadable(PathBuf, std::io::ErrorKind),
    #[error("the owner's policy {} can be changed by every user; take that right away: chmod o-w on it", .0.display())]
    OpenToAll(PathBuf),
    #[error("the owner's policy {} was not signed by the owner's key as it is: {why}", .0.display(), why = .1)]
    NotSigned(PathBuf, StatementError),
    #[error("the owner's policy {} is older than one that was in force", .0.display())]
    Older(PathBuf),
    #[error("the owner's policy {}: {why}", .0.display(), why = .1)]
    Policy(PathBuf, PolicyError),
}

/// The newest signed policy that was in force, and whose; kept, so that an older one never comes back.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InForce {
    owner: PeerId,
    version: u64,
}

/// Where the policy is, and by what it is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    path: PathBuf,
    owner: Owner,
    org: OrgName,
}

/// A policy that can be used.
#[derive(Debug)]
pub(crate) struct OwnersRules {
    pub(crate) rules: Rules,
    /// `None` for a file that nobody signed.
    pub(crate) in_force: Option<InForce>,
}

impl Source {
    pub(crate) fn of(config: &OutletConfig) -> Self {
        Self {
            path: config.policy.clone(),
            owner: config.owner,
            org: config.org.clone(),
        }
    }

    /// Reads, verifies and compiles the policy, unless it is older than `newest`. Blocks.
    pub(crate) fn read(&self, newest: Option<InForce>) -> Result<OwnersRules, OwnerError> {
        let text = text(&self.path)?;
        let (cedar, in_force) = match self.owner {
            Owner::ThisComputer => (text, None),
            Owner::Key(key) => {
                let (cedar, in_force) = self.signed(text.trim(), key, newest)?;
                (cedar, Some(in_force))
            }
        };
        let rules = Rules::compile(Side::Owner, &cedar)
            .map_err(|error| OwnerError::Policy(self.path.clone(), error))?;
        Ok(OwnersRules { rules, in_force })
    }

    fn signed(
        &self,
        jws: &str,
        key: VerifyKey,
        newest: Option<InForce>,
    ) -> Result<(String, InForce), OwnerError> {
        let policy = PolicyStatement::verify_for(jws, &key, &self.org)
            .map_err(|error| OwnerError::NotSigned(self.path.clone(), error))?;
        let in_force = InForce {
            owner: key.peer_id(),
            version: policy.version,
        };
        // Another owner begins anew: the configuration has named them.
        let older =
            |newest: InForce| newest.owner == in_force.owner && newest.version > in_force.version;
        if newest.is_some_and(older) {
            return Err(OwnerError::Older(self.path.clone()));
        }
        Ok((policy.cedar, in_force))
    }

    pub(crate) fn unreadable(&self) -> OwnerError {
        OwnerError::Unreadable(self.path.clone(), std::io::ErrorKind::Other)
    }
}

fn text(path: &Path) -> Result<String, OwnerError> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let unreadable = |error: std::io::Error| OwnerError::Unreadable(path.to_owned(), error.kind());
    let mut options = std::fs::OpenOptions::new();
    // A pipe under this name must not hold us.
    options
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(OwnerError::Unreadable(
            path.to_owned(),
            std::io::ErrorKind::InvalidInput,
        ));
    }
    if about.mode() & 0o002 != 0 {
        return Err(OwnerError::OpenToAll(path.to_owned()));
    }
    let mut text = String::new();
    // One byte more than the screen allows, so that it sees what is too large.
    file.take(MAX_POLICY as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tidegate_proto::identity::SigningKey;

    const PERMIT: &str = "permit (principal, action, resource);";

    fn source(path: &Path, owner: Owner) -> Source {
        Source {
            path: path.to_owned(),
            owner,
            org: "acme".parse().unwrap(),
        }
    }

    #[test]
    fn reads_a_policy_and_says_which_file_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner.cedar");
        let read = |path: &Path| source(path, Owner::ThisComputer).read(None);
        assert!(matches!(read(&path), Err(OwnerError::Unreadable(..))));
        assert!(matches!(read(dir.path()), Err(OwnerError::Unreadable(..))));

        std::fs::write(&path, PERMIT).unwrap();
        assert!(read(&path).is_ok());

        std::fs::write(&path, "permit (").unwrap();
        assert!(matches!(read(&path), Err(OwnerError::Policy(..))));
        std::fs::write(&path, "x".repeat(MAX_POLICY + 10)).unwrap();
        assert!(matches!(read(&path), Err(OwnerError::Policy(..))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&path).err(), Some(OwnerError::OpenToAll(path)));
    }

    fn statement(version: u64) -> PolicyStatement {
        PolicyStatement {
            org: "acme".parse().unwrap(),
            cedar: PERMIT.to_owned(),
            schema_version: 1,
            version,
        }
    }

    #[test]
    fn a_signed_policy_is_the_owners_own_and_never_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner.jws");
        let (owner, thief) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let source = source(&path, Owner::Key(owner.verify_key()));
        let write = |text: String| std::fs::write(&path, text).unwrap();

        write(format!("{}\n", statement(7).sign(&owner)));
        let seven = source.read(None).unwrap().in_force;
        assert!(source.read(seven).is_ok(), "the same again");
        write(statement(6).sign(&owner));
        let older = Some(OwnerError::Older(path.clone()));
        assert_eq!(source.read(seven).err(), older);
        write(statement(8).sign(&owner));
        assert!(source.read(seven).is_ok());

        let foreign = PolicyStatement {
            org: "evil".parse().unwrap(),
            ..statement(9)
        };
        for text in [
            PERMIT.to_owned(),
            statement(9).sign(&thief),
            foreign.sign(&owner),
            statement(9).sign(&owner).replace('.', ".A"),
            String::new(),
        ] {
            write(text);
            assert!(matches!(source.read(seven), Err(OwnerError::NotSigned(..))));
        }
    }

    #[test]
    fn a_new_owner_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner.jws");
        let (former, next) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        std::fs::write(&path, statement(9).sign(&former)).unwrap();
        let nine = source(&path, Owner::Key(former.verify_key())).read(None);

        std::fs::write(&path, statement(1).sign(&next)).unwrap();
        let next = source(&path, Owner::Key(next.verify_key()));

        assert!(next.read(nine.unwrap().in_force).is_ok());
    }
}
