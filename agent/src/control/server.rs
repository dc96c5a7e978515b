//! The agent's end of the control socket.
//! The directory keeps others out; the credentials of each connection are looked at all the same, before a byte is read.

use std::path::Path;

use tidegate_proto::problem::{Code, Problem};
use tokio::io::{AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{MAX_REQUEST, Reply, Request, read_line};
use crate::agent::Inner;
use crate::platform::channel::{Foreign, Listener, Stream};

/// How long nobody is let in after that failed.
const BREATH: std::time::Duration = std::time::Duration::from_millis(50);
/// Clients served at the same time; more wait.
const MAX_CLIENTS: usize = 16;

/// The listening end. Dropping it stops listening.
pub(crate) struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens at `path`, in a directory that is locked by us.
    pub(crate) fn start(path: &Path, inner: Inner) -> Result<Self, Problem> {
        let listener = Listener::bind(path)
            .map_err(|_| Problem::new(Code::DataDirUnusable).path(&path.display().to_string()))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, inner, stop.clone()));
        Ok(Self { stop, task })
    }

    pub(crate) async fn shutdown(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(listener: Listener, inner: Inner, stop: CancellationToken) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept(), if clients.len() < MAX_CLIENTS => {
                match accepted {
                    Ok(Ok(stream)) => drop(clients.spawn(talk(stream, inner.clone()))),
                    Ok(Err(Foreign)) => {
                        tracing::warn!("control client of another user was turned away");
                    }
                    // Out of descriptors, most likely: who waits stays in the backlog.
                    Err(_) => tokio::time::sleep(BREATH).await,
                }
            }
        }
    }
    clients.shutdown().await;
}

async fn talk(stream: Stream, inner: Inner) {
    let (read, mut write) = tokio::io::split(stream);
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
    write: &mut WriteHalf<Stream>,
    mut read: BufReader<ReadHalf<Stream>>,
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

async fn send(write: &mut WriteHalf<Stream>, reply: &Reply) -> Option<()> {
    let mut line = serde_json::to_vec(reply).ok()?;
    line.push(b'\n');
    write.write_all(&line).await.ok()
}
