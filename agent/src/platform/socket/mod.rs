//! A Unix socket beside a service's port; on Windows, where no database client would use one, there is none.
//! Asking for one there is answered like any socket that cannot be had: it is said, and the port is open all the same.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::Socket;

use std::io;

/// Why there is no socket.
#[cfg_attr(not(unix), allow(dead_code))] // there none is ever made
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("the path is too long for a socket")]
    TooLong,
    #[error("the folder is not this user's alone")]
    Folder,
    #[error("something else is there already")]
    Taken,
    #[error("it cannot be made: {0:?}")]
    Io(io::ErrorKind),
}

/// There is none on this system.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Socket;

#[cfg(not(unix))]
impl Socket {
    #[allow(clippy::unused_async)] // as where there is one
    pub(crate) async fn open(_: &std::path::Path, _: u16, _: usize) -> Result<Self, SocketError> {
        Err(SocketError::Io(io::ErrorKind::Unsupported))
    }
}
