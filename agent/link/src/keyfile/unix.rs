//! Owners and modes, checked on the opened file (`fstat`), never on its name.
//! Root may read everything and is no exception: a file of another user is refused to it too.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::KeyFileError;

pub(super) fn open_for_reading(path: &Path) -> Result<File, KeyFileError> {
    // NONBLOCK: a pipe planted under this name must not hold us.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::NOENT) => Err(KeyFileError::Missing),
        Err(rustix::io::Errno::LOOP) => Err(KeyFileError::Symlink),
        Err(errno) => Err(KeyFileError::Io(io::Error::from(errno).kind())),
    }
}

pub(super) fn ours_alone(facts: &std::fs::Metadata) -> Result<(), KeyFileError> {
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeyFileError::ForeignOwner);
    }
    if facts.mode() & 0o077 != 0 {
        return Err(KeyFileError::OpenToOthers);
    }
    Ok(())
}

pub(super) fn owner_only(options: &mut OpenOptions) {
    options.mode(0o600);
}

pub(super) fn owner_only_directory(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(super) fn sync_directory(path: &Path) -> Result<(), KeyFileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| KeyFileError::Io(e.kind()))
}
