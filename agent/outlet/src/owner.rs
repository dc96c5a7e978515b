//! The owner's policy: a local Cedar file, read at the start and again on SIGHUP. It has the last word.
//! Whoever can change this file can open every service of the outlet, so it must not be writable by everybody.

use std::io::Read;
use std::path::{Path, PathBuf};
use tidegate_proto::policy::{MAX_POLICY, PolicyError, Rules, Side};

/// Why the owner's policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    #[error("the owner's policy {} cannot be read: {kind:?}", .0.display(), kind = .1)]
    Unreadable(PathBuf, std::io::ErrorKind),
    #[error("the owner's policy {} can be changed by every user; take that right away: chmod o-w on it", .0.display())]
    OpenToAll(PathBuf),
    #[error("the owner's policy {}: {why}", .0.display(), why = .1)]
    Policy(PathBuf, PolicyError),
}

/// Reads and compiles the policy at `path`. Blocks.
pub(crate) fn read(path: &Path) -> Result<Rules, OwnerError> {
    let text = text(path)?;
    Rules::compile(Side::Owner, &text).map_err(|error| OwnerError::Policy(path.to_owned(), error))
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

    #[test]
    fn reads_a_policy_and_says_which_file_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner.cedar");
        assert!(matches!(read(&path), Err(OwnerError::Unreadable(..))));
        assert!(matches!(read(dir.path()), Err(OwnerError::Unreadable(..))));

        std::fs::write(&path, "permit (principal, action, resource);").unwrap();
        assert!(read(&path).is_ok());

        std::fs::write(&path, "permit (").unwrap();
        assert!(matches!(read(&path), Err(OwnerError::Policy(..))));
        std::fs::write(&path, "x".repeat(MAX_POLICY + 10)).unwrap();
        assert!(matches!(read(&path), Err(OwnerError::Policy(..))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&path).err(), Some(OwnerError::OpenToAll(path)));
    }
}
