//! The owner's socket: `outlet.sock` in the data directory, mode 0600, one JSON order a line, one JSON answer.
//! There is no TCP port for this, and a peer of another user is turned away even if it got hold of the socket.

use crate::audit::Audit;
use crate::kill::{KillSwitch, Killed, Order};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SOCKET: &str = "outlet.sock";
const MAX_PEERS: usize = 16;
const MAX_ORDER: u64 = 4096;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the outlet answers to an order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Done, and kept on disk.
    Done(Killed),
    /// In force now, but not kept: the disk refused.
    NotKept,
    NotUnderstood,
}

/// Why an order did not reach a running outlet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("no outlet runs with this data directory")]
    NotRunning,
    #[error("the outlet's socket cannot be used: {0:?}")]
    Io(io::ErrorKind),
    #[error("the outlet gave no answer in time")]
    Silent,
}

/// Sends one order to the outlet that runs with this data directory.
///
/// # Errors
/// When none runs, or it does not answer within two seconds.
pub async fn send(data: &Path, order: &Order) -> Result<Answer, ControlError> {
    let exchange = async {
        let mut stream = UnixStream::connect(data.join(SOCKET))
            .await
            .map_err(absent)?;
        let mut line = serde_json::to_vec(order).expect("an order serialises");
        line.push(b'\n');
        stream.write_all(&line).await.map_err(failed)?;
        let mut answer = Vec::new();
        stream
            .take(1 << 20)
            .read_to_end(&mut answer)
            .await
            .map_err(failed)?;
        serde_json::from_slice(&answer).map_err(|_| ControlError::Io(io::ErrorKind::InvalidData))
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or(Err(ControlError::Silent))
}

fn absent(error: io::Error) -> ControlError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning,
        kind => ControlError::Io(kind),
    }
}

fn failed(error: io::Error) -> ControlError {
    ControlError::Io(error.kind())
}

/// The listening socket; its file goes with it.
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Takes the place of a socket that a crashed outlet left behind, never that of a running one.
    pub(crate) fn bind(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        remove_leftover(&path)?;
        // The directory is 0700, so nobody gets in between the bind and the chmod.
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Answers a few peers at a time until `stop`: a silent one must not hold up a kill.
    pub(crate) async fn serve(
        self,
        switch: Arc<KillSwitch>,
        audit: Audit,
        stop: CancellationToken,
    ) {
        let mut peers = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                _ = peers.join_next(), if peers.len() >= MAX_PEERS => continue,
                accepted = self.listener.accept(), if peers.len() < MAX_PEERS => accepted,
            };
            while peers.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) if is_owner(&stream) => {
                    let answered = answer(stream, Arc::clone(&switch), audit.clone());
                    peers.spawn(async { tokio::time::timeout(PATIENCE, answered).await });
                }
                Ok(_) => tracing::warn!("control connection of another user was refused"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn remove_leftover(path: &Path) -> io::Result<()> {
    let about = match path.symlink_metadata() {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let alive = std::os::unix::net::UnixStream::connect(path).is_ok();
    if !about.file_type().is_socket() || alive {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    std::fs::remove_file(path)
}

fn is_owner(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

async fn answer(stream: UnixStream, switch: Arc<KillSwitch>, audit: Audit) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    (&mut stream)
        .take(MAX_ORDER)
        .read_until(b'\n', &mut line)
        .await?;
    let answer = match serde_json::from_slice::<Order>(&line) {
        Ok(order) => obey(order, switch, audit).await,
        Err(_) => Answer::NotUnderstood,
    };
    let text = serde_json::to_vec(&answer).expect("an answer serialises");
    stream.write_all(&text).await?;
    stream.shutdown().await
}

async fn obey(order: Order, switch: Arc<KillSwitch>, audit: Audit) -> Answer {
    tracing::warn!(?order, "kill switch was used");
    let event = order.event();
    let applied = tokio::task::spawn_blocking(move || switch.apply(&order)).await;
    let answer = match applied {
        Ok(Ok(killed)) => Answer::Done(killed),
        Ok(Err(error)) => {
            tracing::error!(%error, "kill switch was not kept on disk");
            Answer::NotKept
        }
        Err(_) => Answer::NotKept,
    };
    // After the deed: a full disk must not hold up a kill.
    if let Err(error) = audit.record(event).await {
        tracing::error!(%error, "use of the kill switch was not recorded");
    }
    answer
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::audit_in;

    fn running() -> (
        tempfile::TempDir,
        Arc<KillSwitch>,
        CancellationToken,
        tokio::task::JoinHandle<()>,
    ) {
        let dir = crate::testing::private_dir();
        let switch = Arc::new(KillSwitch::load(dir.path()).unwrap());
        let stop = CancellationToken::new();
        let control = Control::bind(dir.path()).unwrap();
        let task =
            tokio::spawn(control.serve(Arc::clone(&switch), audit_in(dir.path()), stop.clone()));
        (dir, switch, stop, task)
    }

    #[tokio::test]
    async fn an_order_is_obeyed_and_the_socket_leaves_with_the_outlet() {
        let (dir, switch, stop, task) = running();
        let mode = std::fs::metadata(dir.path().join(SOCKET))
            .unwrap()
            .permissions()
            .mode();

        let answer = send(dir.path(), &Order::Kill(None)).await;

        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            answer,
            Ok(Answer::Done(Killed {
                all: true,
                ..Killed::default()
            }))
        );
        assert!(switch.watch().borrow().all);
        stop.cancel();
        task.await.unwrap();
        assert_eq!(
            send(dir.path(), &Order::Undo(None)).await,
            Err(ControlError::NotRunning)
        );
        assert!(!dir.path().join(SOCKET).exists());
    }

    #[tokio::test]
    async fn a_second_outlet_cannot_take_a_running_ones_socket_but_a_crashed_ones() {
        let (dir, _switch, stop, task) = running();

        assert_eq!(
            Control::bind(dir.path()).err().unwrap().kind(),
            io::ErrorKind::AddrInUse
        );

        stop.cancel();
        task.await.unwrap();
        drop(std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap());
        assert!(Control::bind(dir.path()).is_ok());
    }

    #[tokio::test]
    async fn nonsense_and_silence_are_survived() {
        let (dir, _switch, stop, task) = running();
        let _silent = UnixStream::connect(dir.path().join(SOCKET)).await.unwrap();

        let mut nonsense = UnixStream::connect(dir.path().join(SOCKET)).await.unwrap();
        nonsense.write_all(b"{\"kill\":\"../x\"}\n").await.unwrap();
        let mut answer = String::new();
        nonsense.read_to_string(&mut answer).await.unwrap();

        assert_eq!(answer, "\"notunderstood\"");
        stop.cancel();
        task.await.unwrap();
    }
}
