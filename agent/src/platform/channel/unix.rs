//! A Unix socket in a directory of the user's own.
//! The directory keeps others out; the credentials of each connection (`SO_PEERCRED`, `LOCAL_PEERCRED`) are looked at all the same.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::Foreign;

pub(crate) type Stream = UnixStream;

/// Dropping it removes the file.
pub(crate) struct Listener {
    path: PathBuf,
    socket: UnixListener,
}

impl Listener {
    /// Listens at `path`, in a directory that is locked by us: a socket that is there already is a dead agent's.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let _ = std::fs::remove_file(path);
        Ok(Self {
            path: path.to_owned(),
            socket: UnixListener::bind(path)?,
        })
    }

    /// The next client, or that it is somebody else's.
    pub(crate) async fn accept(&self) -> io::Result<Result<Stream, Foreign>> {
        let (stream, _) = self.socket.accept().await?;
        Ok(ours(stream))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Who listens at `path`, or that it is somebody else.
pub(crate) async fn connect(path: &Path) -> io::Result<Result<Stream, Foreign>> {
    UnixStream::connect(path).await.map(ours)
}

fn ours(stream: Stream) -> Result<Stream, Foreign> {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own => Ok(stream),
        Ok(_) | Err(_) => Err(Foreign),
    }
}
