//! A file that a person writes too, read only if nobody else can have planted or changed it.
//! The checks are made on the opened file, never on its name: what was checked is what is read.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file opened for reading, with the mode that whatever replaces it should have.
pub(crate) struct Own {
    pub(crate) file: File,
    pub(crate) mode: u32,
}

/// Why such a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOwn {
    #[error("there is none")]
    Missing,
    #[error("the name is a symbolic link")]
    Symlink,
    #[error("it belongs to another user, or others can change it")]
    #[cfg_attr(not(unix), allow(dead_code))] // there the profile's directory keeps others out
    Foreign,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it cannot be opened: {0:?}")]
    Io(io::ErrorKind),
}

/// The mode of a file that nobody had before.
pub(crate) const FRESH: u32 = 0o600;

#[cfg(unix)]
pub(crate) fn open(path: &Path) -> Result<Own, NotOwn> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    // NONBLOCK: a pipe planted under this name must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::NOENT) => return Err(NotOwn::Missing),
        Err(Errno::LOOP) => return Err(NotOwn::Symlink),
        Err(errno) => return Err(NotOwn::Io(io::Error::from(errno).kind())),
    };
    let facts = file.metadata().map_err(|error| NotOwn::Io(error.kind()))?;
    let is_ours = facts.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || facts.mode() & 0o022 != 0 {
        return Err(NotOwn::Foreign);
    }
    if !facts.is_file() {
        return Err(NotOwn::NotAFile);
    }
    let mode = facts.mode() & 0o755;
    Ok(Own { file, mode })
}

/// Elsewhere the user's profile directory carries the access rights.
#[cfg(not(unix))]
pub(crate) fn open(path: &Path) -> Result<Own, NotOwn> {
    let kind = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NotOwn::Missing,
        kind => NotOwn::Io(kind),
    };
    let facts = std::fs::symlink_metadata(path).map_err(kind)?;
    if facts.file_type().is_symlink() {
        return Err(NotOwn::Symlink);
    }
    if !facts.is_file() {
        return Err(NotOwn::NotAFile);
    }
    let file = File::open(path).map_err(kind)?;
    Ok(Own { file, mode: 0 })
}

/// Makes files with this mode, where there are modes.
#[cfg(unix)]
pub(crate) fn with_mode(options: &mut std::fs::OpenOptions, mode: u32) {
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
}

#[cfg(not(unix))]
pub(crate) fn with_mode(_: &mut std::fs::OpenOptions, _: u32) {}
