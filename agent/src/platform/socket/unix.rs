//! A Unix socket beside a service's port, for programs that would rather have a file: `psql -h DIR`.
//! Whoever may come is asked of the kernel here; inside, the program is one more at the port, so everything said there holds here too.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tidegate_link::keyfile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::SocketError;

/// Longest path of a socket (`sun_path` with its end), in bytes.
const MAX_PATH: usize = 107;

/// An open socket. Dropping it ends who is inside and removes the file.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Socket {
    /// Opens `path`, whose folder is made 0700, as another way to `port`, for as many programs as that takes. What an agent
    /// left that was killed is taken over.
    pub(crate) async fn open(
        path: &Path,
        port: u16,
        max_connections: usize,
    ) -> Result<Self, SocketError> {
        if path.as_os_str().len() > MAX_PATH {
            return Err(SocketError::TooLong);
        }
        let folder = path.parent().ok_or(SocketError::Folder)?;
        keyfile::private_directory(folder).map_err(|_| SocketError::Folder)?;
        remove_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(|error| SocketError::Io(error.kind()))?;
        tracing::info!(path = %path.display(), port, "socket was opened");
        Ok(Self {
            path: path.to_owned(),
            task: tokio::spawn(serve(listener, port, max_connections)),
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Only a socket of our own that nobody answers at: never a file, never somebody else's.
async fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let facts = match std::fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SocketError::Io(error.kind())),
    };
    let is_ours = facts.file_type().is_socket() && facts.uid() == own_uid();
    let is_dead = UnixStream::connect(path)
        .await
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if !is_ours || !is_dead {
        return Err(SocketError::Taken);
    }
    std::fs::remove_file(path).map_err(|error| SocketError::Io(error.kind()))
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

async fn serve(listener: UnixListener, port: u16, max_connections: usize) {
    let mut programs = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = programs.join_next() => {}
            accepted = listener.accept(), if programs.len() < max_connections => {
                let Ok((program, _)) = accepted else {
                    // Out of descriptors, most likely: who waits stays in the backlog.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                if program.peer_cred().is_ok_and(|peer| peer.uid() == own_uid()) {
                    programs.spawn(carry(program, port));
                } else {
                    tracing::warn!("program of another user was turned away at a socket");
                }
            }
        }
    }
}

async fn carry(mut program: UnixStream, port: u16) {
    let Ok(mut inlet) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let _ = inlet.set_nodelay(true);
    // How it ended is told at the port.
    let _ = copy_bidirectional(&mut program, &mut inlet).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn echo() -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        });
        (port, task)
    }

    async fn answer(path: &Path) -> Vec<u8> {
        let mut program = UnixStream::connect(path).await.unwrap();
        let _ = program.write_all(b"hello").await;
        let _ = program.shutdown().await;
        let mut back = Vec::new();
        let _ = program.read_to_end(&mut back).await;
        back
    }

    #[tokio::test]
    async fn a_program_of_the_same_user_is_carried_and_the_file_goes_with_the_door() {
        use std::os::unix::fs::PermissionsExt;
        let (port, echo) = echo().await;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme-warehouse/.s.PGSQL.15432");

        let socket = Socket::open(&path, port, 128).await.unwrap();

        assert_eq!(answer(&path).await, b"hello");
        let folder = std::fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!path.exists());
        echo.abort();
    }

    #[tokio::test]
    async fn as_many_programs_come_in_as_the_settings_say() {
        let (port, echo) = echo().await;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own/sock");
        let _socket = Socket::open(&path, port, 1).await.unwrap();
        let mut first = UnixStream::connect(&path).await.unwrap();
        first.write_all(b"x").await.unwrap();
        first.read_exact(&mut [0; 1]).await.unwrap();

        let second = tokio::spawn({
            let path = path.clone();
            async move { answer(&path).await }
        });
        first.write_all(b"y").await.unwrap();
        first.read_exact(&mut [0; 1]).await.unwrap();
        assert!(!second.is_finished(), "it waits for its turn");
        drop(first);

        assert_eq!(second.await.unwrap(), b"hello");
        echo.abort();
    }

    #[tokio::test]
    async fn what_a_killed_agent_left_is_taken_over_and_nothing_else_ever() {
        let (port, echo) = echo().await;
        let dir = tempfile::tempdir().unwrap();
        keyfile::private_directory(&dir.path().join("own")).unwrap();
        let path = dir.path().join("own/sock");

        // A socket whose process is gone: the file stays.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let taken_over = Socket::open(&path, port, 128).await.unwrap();
        assert_eq!(answer(&path).await, b"hello");
        assert_eq!(
            Socket::open(&path, port, 128).await.unwrap_err(),
            SocketError::Taken
        );
        drop(taken_over);
        std::fs::write(&path, "somebody's notes").unwrap();
        assert_eq!(
            Socket::open(&path, port, 128).await.unwrap_err(),
            SocketError::Taken
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's notes");
        let long = dir.path().join("x".repeat(120));
        assert_eq!(
            Socket::open(&long, port, 128).await.unwrap_err(),
            SocketError::TooLong
        );
        echo.abort();
    }

    #[tokio::test]
    async fn another_users_program_is_turned_away_with_the_doors_wide_open() {
        use std::os::unix::fs::PermissionsExt;
        if own_uid() != 0 {
            return; // only root can start a program as somebody else
        }
        let (port, echo) = echo().await;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own/sock");
        let _socket = Socket::open(&path, port, 128).await.unwrap();
        for path in path.ancestors().take(3) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }

        let script = "$SIG{PIPE} = q(IGNORE); my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die \"no: $!\"; syswrite $s, q(hello); my $n = sysread $s, my $b, 9; print $n // $!";
        let output = tokio::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(["perl", "-MIO::Socket::UNIX", "-e", script])
            .arg(&path)
            .output()
            .await
            .unwrap();

        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            matches!(said.trim(), "0" | "Connection reset by peer"),
            "{said}"
        );
        echo.abort();
    }
}
