//! `tidegate hub run`: parse, build, say what is bound, run, drain.
//! The same sequence every time; what it builds and how it ends are in `super`.

use std::path::PathBuf;

use super::{Hub, config::HubConfig};
use crate::{failure::Failure, process, reception::Reserved, signals::Signals, trouble::Trouble};

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

        let address = config.listen;
        let unbound = |error| Trouble::listen(address, &error, &self.config);
        let reception = Reserved::take(address)
            .and_then(Reserved::open)
            .map_err(unbound)?;
        let bound = reception.address().map_err(unbound)?;
        let hub = Hub::open(config).await?;
        tracing::info!(address = %bound, org = %hub.org(), "hub is listening");

        // A task like those it spawns: it takes turns with them, and cannot accept faster than they are served.
        let ended = tokio::spawn(hub.run(reception, signals)).await;
        tracing::info!("hub ended");
        ended.map_err(|error| Failure::internal("the hub's accept loop ended", &error))
    }
}
