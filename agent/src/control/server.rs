//! The agent's end of the control socket.
//! The directory keeps others out; the credentials of each connection are looked at all the same, before a byte is read.

use std::path::{Path, PathBuf};

use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{MAX_REQUEST, Reply, Request, read_line};
use crate::agent::Inner;

/// Clients served at the same time; more wait.
const MAX_CLIENTS: usize = 16;

/// The listening socket. Dropping it removes the socket file.
pub(crate) struct Server {
    path: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens at `path`, in a directory that is locked by us: a socket that is there already is a dead agent's.
    pub(crate) fn start(path: &Path, inner: Inner) -> Result<Self, Problem> {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)
            .map_err(|_| Problem::new(Code::DataDirUnusable).path(&path.display().to_string()))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, inner, stop.clone()));
        Ok(Self {
            path: path.to_owned(),
            stop,
            task,
        })
    }

    pub(crate) async fn shutdown(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, inner: Inner, stop: CancellationToken) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept(), if clients.len() < MAX_CLIENTS => {
                let Ok((stream, _)) = accepted else { continue };
                if is_ours(&stream) {
                    clients.spawn(talk(stream, inner.clone()));
                } else {
                    tracing::warn!("control client of another user was turned away");
                }
            }
        }
    }
    clients.shutdown().await;
}

/// Whether the other end belongs to our own user (`SO_PEERCRED`).
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own)
}

async fn talk(stream: UnixStream, inner: Inner) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(line) = read_line(&mut read, MAX_REQUEST).await {
        let reply = match serde_json::from_str(&line) {
            Ok(Request::Act(action)) => Reply::Done(inner.act(action).await.err()),
            Ok(Request::Snapshot(true)) => return stream_snapshots(&inner, &mut write, read).await,
            Ok(Request::Snapshot(false)) | Err(_) => {
                Reply::Done(Some(Problem::new(Code::NotSupportedYet)))
            }
        };
        if send(&mut write, &reply).await.is_none() {
            return;
        }
    }
}

/// Sends every snapshot until either side has had enough. A slow reader misses some and is still right.
async fn stream_snapshots(
    inner: &Inner,
    write: &mut OwnedWriteHalf,
    mut read: BufReader<tokio::net::unix::OwnedReadHalf>,
) {
    let mut snapshots = inner.snapshot();
    let stream = async {
        loop {
            let snapshot = (**snapshots.borrow_and_update()).clone();
            if send(write, &Reply::Snapshot(Box::new(snapshot)))
                .await
                .is_none()
            {
                return;
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = stream => {}
        // Anything more from this client, above all its end.
        _ = read_line(&mut read, MAX_REQUEST) => {}
    }
}

async fn send(write: &mut OwnedWriteHalf, reply: &Reply) -> Option<()> {
    let mut line = serde_json::to_vec(reply).ok()?;
    line.push(b'\n');
    write.write_all(&line).await.ok()
}
