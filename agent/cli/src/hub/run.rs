//! `tidegate hub run`: parse, build, say what is bound, run, drain.
//! The same sequence every time; what it builds and how it ends are in `super`.

use std::path::PathBuf;

use tokio::net::TcpListener;

use super::{Hub, config::HubConfig};
use crate::{failure::Failure, process, signals::Signals, trouble::Trouble};

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

        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| listen(&config, &error))?;
        let bound = listener
            .local_addr()
            .map_err(|error| listen(&config, &error))?;
        let hub = Hub::open(config).await?;
        tracing::info!(address = %bound, org = %hub.org(), "hub is listening");

        let ended = hub.run(listener, signals).await;
        tracing::info!("hub ended");
        ended
    }
}

fn listen(config: &HubConfig, error: &std::io::Error) -> Failure {
    Trouble::Listen {
        address: config.listen.to_string(),
        error: error.kind(),
    }
    .into()
}
