//! Reads a mounted secret: a regular file, possibly behind the links a mount is made of, that the world cannot read.
//! Not the same rule as for our own keys: a mounted secret may belong to root and be readable by our group.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// The largest secret, in bytes.
const MAX: usize = 64 * 1024;

/// Why a mounted secret was not read.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    #[error("it does not exist")]
    Missing,
    #[error("it is not a regular file")]
    NotAFile,
    #[error(
        "every user can read or change it; take that right away (chmod o= on it, defaultMode 0440 in Kubernetes)"
    )]
    OpenToAll,
    #[error("its group can change it; take that right away (chmod g-w on it)")]
    GroupWritable,
    #[error("it belongs to another user")]
    ForeignOwner,
    #[error("it is larger than 64 KiB")]
    TooLarge,
    #[error("it cannot be read: {0:?}")]
    Io(io::ErrorKind),
}

/// The content of the secret at `path`. The checks are made on the opened file, not on its name.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let file = open(path)?;
    let about = file.metadata().map_err(|e| SecretFault::Io(e.kind()))?;
    if !about.is_file() {
        return Err(SecretFault::NotAFile);
    }
    guarded(&about)?;
    // Allocated at once: a growing buffer would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 1));
    file.take(MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| SecretFault::Io(e.kind()))?;
    if bytes.len() > MAX {
        return Err(SecretFault::TooLarge);
    }
    Ok(bytes)
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, SecretFault> {
    use rustix::fs::{Mode, OFlags};
    // NONBLOCK: a pipe under this name must not hold us.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::NOENT) => Err(SecretFault::Missing),
        Err(errno) => Err(SecretFault::Io(io::Error::from(errno).kind())),
    }
}

#[cfg(unix)]
fn guarded(about: &std::fs::Metadata) -> Result<(), SecretFault> {
    use std::os::unix::fs::MetadataExt;
    let owner = about.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(SecretFault::ForeignOwner);
    }
    if about.mode() & 0o007 != 0 {
        return Err(SecretFault::OpenToAll);
    }
    if about.mode() & 0o020 != 0 {
        return Err(SecretFault::GroupWritable);
    }
    Ok(())
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, SecretFault> {
    File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => SecretFault::Missing,
        kind => SecretFault::Io(kind),
    })
}

#[cfg(not(unix))]
fn guarded(_: &std::fs::Metadata) -> Result<(), SecretFault> {
    Ok(())
}
