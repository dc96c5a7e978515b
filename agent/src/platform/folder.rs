//! A folder that one agent at a time may work in: the lock ends with the process, so a crash leaves nothing to clean up.
//! Windows cannot lock a folder; there a file in it is.

use std::fs::File;
use std::io;
use std::path::Path;

/// Something in the folder that can be locked.
#[cfg(unix)]
pub(crate) fn lockable(folder: &Path) -> io::Result<File> {
    File::open(folder)
}

/// Something in the folder that can be locked.
#[cfg(not(unix))]
pub(crate) fn lockable(folder: &Path) -> io::Result<File> {
    File::create(folder.join("agent.lock"))
}
