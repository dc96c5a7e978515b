//! Where a server's newcomers arrive: one port, a doorstep for those who have not said what they want, and their tasks.
//! What a newcomer gets is the server's affair; that none is forgotten, and that a flood costs little, is settled here.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_link::{Doorstep, Guest};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

/// Connections that the kernel keeps until we take them; it allows no more than `net.core.somaxconn`.
const BACKLOG: u32 = 4096;
/// Connections that have not said what they want; those whom they want bound those that have.
const STRANGERS: usize = 512;
/// For saying it: the first bytes follow the connection at once, unless a network loses them more than once.
const SAY: Duration = Duration::from_secs(5);
/// For connections to end by themselves when we stop; then they are ended.
const DRAIN: Duration = Duration::from_secs(3);
/// After an accept that failed: most likely there are no descriptors left, and trying at once finds none either.
const BREATH: Duration = Duration::from_millis(50);

/// A port that is ours, and on which nobody is heard yet.
pub(crate) struct Reserved(TcpSocket);

/// The port and all who came.
pub(crate) struct Reception {
    listener: TcpListener,
    doorstep: Arc<Doorstep>,
    connections: JoinSet<()>,
}

impl Reserved {
    /// Takes the port: that it is taken already shows here.
    pub(crate) fn take(address: SocketAddr) -> std::io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // As `TcpListener::bind` does it: the port of a server that just ended may be taken at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket))
    }

    /// Whether the port could be taken, and why not.
    pub(crate) fn probe(address: SocketAddr) -> Result<(), std::io::ErrorKind> {
        let taken = Self::take(address).and_then(|reserved| reserved.0.listen(1));
        taken.map(drop).map_err(|error| error.kind())
    }

    /// From here on newcomers are heard. There is room in the kernel for a burst of them: one who finds none waits a
    /// second before it knocks again.
    pub(crate) fn open(self) -> std::io::Result<Reception> {
        Ok(Reception {
            listener: self.0.listen(BACKLOG)?,
            doorstep: Doorstep::with_limit(STRANGERS, SAY),
            connections: JoinSet::new(),
        })
    }
}

impl Reception {
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How many connections have a task now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The next newcomer, once those whom the last ones pushed out have gone. Safe to abandon.
    pub(crate) async fn next(&mut self) -> (TcpStream, Guest) {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.connections.join_next() => told(ended),
                accepted = newcomer(&self.listener, &self.doorstep) => match accepted {
                    Ok((tcp, from)) => {
                        return (tcp, self.doorstep.enter_from(from.ip()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(BREATH).await;
                    }
                },
            }
        }
    }

    /// Serves one of them in a task of its own.
    pub(crate) fn serve(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(connection);
    }

    /// Closes the port and gives the connections three seconds to end by themselves.
    pub(crate) async fn close(self) {
        let Self {
            listener,
            mut connections,
            ..
        } = self;
        drop(listener);
        let all = async {
            while let Some(ended) = connections.join_next().await {
                told(ended);
            }
        };
        let _ = timeout(DRAIN, all).await;
        connections.shutdown().await;
    }
}

async fn newcomer(
    listener: &TcpListener,
    doorstep: &Doorstep,
) -> std::io::Result<(TcpStream, SocketAddr)> {
    doorstep.cleared().await;
    listener.accept().await
}

/// A panic is ours, and must not go unnoticed because the others went on.
fn told(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection ended in a panic");
    }
}
