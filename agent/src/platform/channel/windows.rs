//! A named pipe that only its own user may open.
//! Names of pipes are common to all users of a computer: whoever took ours first is found out by the process at the other end.

use std::io;
use std::path::Path;

use interprocess::os::windows::named_pipe::tokio::{DuplexPipeStream, PipeListener};
use interprocess::os::windows::named_pipe::{PipeListenerOptions, pipe_mode::Bytes};
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::U16CString;

use super::Foreign;
use crate::platform::user;

pub(crate) type Stream = DuplexPipeStream<Bytes>;

/// Longest name of a pipe, in characters, with room for what Windows puts before it.
const LONGEST: usize = 200;

/// A pipe with as many instances as there are clients.
pub(crate) struct Listener(PipeListener<Bytes, Bytes>);

impl Listener {
    /// Listens under a name made of `path`; refused when that name is somebody's already.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let own = user::own().ok_or(io::ErrorKind::PermissionDenied)?;
        // All rights for this user, none inherited, none for anybody else.
        let rights = U16CString::from_str(format!("D:P(A;;GA;;;{})", *own))
            .map_err(|_| io::ErrorKind::InvalidInput)?;
        PipeListenerOptions::new()
            .path(name(path).as_str())
            .security_descriptor(Some(SecurityDescriptor::deserialize(&rights)?))
            .create_tokio_duplex::<Bytes>()
            .map(Self)
    }

    /// The next client, or that it is somebody else's.
    pub(crate) async fn accept(&self) -> io::Result<Result<Stream, Foreign>> {
        self.0.accept().await.map(ours)
    }
}

/// Who listens under the name made of `path`, or that it is somebody else.
pub(crate) async fn connect(path: &Path) -> io::Result<Result<Stream, Foreign>> {
    let stream = DuplexPipeStream::connect_by_path(name(path).as_str()).await?;
    Ok(ours(stream))
}

fn ours(stream: Stream) -> Result<Stream, Foreign> {
    let of_same_user = stream
        .peer_process_id()
        .is_ok_and(|peer| user::is_own(peer));
    if of_same_user {
        Ok(stream)
    } else {
        Err(Foreign)
    }
}

/// Its end tells agents of different folders apart, so that is what is kept of a long one.
fn name(path: &Path) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let flat: Vec<char> = path.to_string_lossy().chars().map(plain).collect();
    let kept = &flat[flat.len().saturating_sub(LONGEST)..];
    format!(r"\\.\pipe\tidegate-{}", kept.iter().collect::<String>())
}
