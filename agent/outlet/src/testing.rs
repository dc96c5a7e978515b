//! What several unit tests need.
//! A temporary directory is open to others by default; a data directory must not be.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

/// A directory as a data directory must be: 0700.
pub(crate) fn private_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}
