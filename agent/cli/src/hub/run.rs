//! `tidegate hub run`: parse, build, say what is bound, run, drain.
//! The same sequence every time; what it builds and how it ends are in `super`.

use std::{net::SocketAddr, path::PathBuf};

use tokio::net::{TcpListener, TcpSocket};

use super::{Hub, config::HubConfig};
use crate::{failure::Failure, process, signals::Signals, trouble::Trouble};

/// Connections that the kernel keeps until we take them; it allows no more than `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

#[derive(clap::Args)]
pub(crate) struct Run {
    /// The hub's settings.
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
}

impl Run {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let config = HubConfig::load(&self.config)?;
        let signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be received", &error))?;
        process::raise_file_limit();

        let listener = bind(config.listen).map_err(|error| unbound(&config, &error))?;
        let bound = listener
            .local_addr()
            .map_err(|error| unbound(&config, &error))?;
        let hub = Hub::open(config).await?;
        tracing::info!(address = %bound, org = %hub.org(), "hub is listening");

        // A task like those it spawns: it takes turns with them, and cannot accept faster than they are served.
        let ended = tokio::spawn(hub.run(listener, signals)).await;
        tracing::info!("hub ended");
        ended.unwrap_or_else(|error| Err(Failure::internal("the hub's accept loop ended", &error)))
    }
}

/// With room in the kernel for a burst of newcomers: one who finds none waits a second before it knocks again.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As `TcpListener::bind` does it: the port of a hub that just ended may be taken at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn unbound(config: &HubConfig, error: &std::io::Error) -> Failure {
    Trouble::Listen {
        address: config.listen.to_string(),
        error: error.kind(),
    }
    .into()
}
