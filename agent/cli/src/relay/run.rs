//! `tidegate relay run`: parse, reserve the port, learn what to admit by, say what is bound, run, drain.
//! The port is taken first, so that a mistake shows at once, and opened last, so that nobody is heard before we know whom to believe.

use std::{path::PathBuf, sync::Arc};

use tidegate_relay::{
    Limits, Relay,
    follow::{Follower, FollowerConfig, Told, Word},
};

use super::{Running, config::RelayConfig, keys::relay_key};
use crate::{
    failure::Failure,
    process,
    reception::Reserved,
    signals::{Signal, Signals},
    trouble::Trouble,
};

#[derive(clap::Args)]
pub(crate) struct Run {
    /// The relay's settings.
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
}

impl Run {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let config = RelayConfig::load(&self.config)?;
        let mut signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be received", &error))?;
        process::raise_file_limit();
        let (address, org) = (config.listen, config.org.clone());
        let unbound = |error| Trouble::listen(address, &error, &self.config);
        let reserved = Reserved::take(address).map_err(unbound)?;
        let noise = relay_key(&config.data)?;
        let follower = follower(config)?;

        let Some(word) = first_word(&follower, &mut signals).await else {
            return Ok(());
        };
        let told = Arc::new(Told::new(word));
        let relay = told.relay(
            org.clone(),
            noise,
            Limits::default(),
            Arc::new(tidegate_link::now),
        );
        let running = Running::start(Relay::new(relay), follower, told);
        let reception = reserved.open().map_err(unbound)?;
        let bound = reception.address().map_err(unbound)?;
        tracing::info!(address = %bound, %org, "relay is listening");

        // A task like those it spawns: it takes turns with them, and cannot accept faster than they are served.
        let ended = tokio::spawn(running.run(reception, signals)).await;
        tracing::info!("relay ended");
        ended.map_err(|error| Failure::internal("the relay's accept loop ended", &error))
    }
}

fn follower(config: RelayConfig) -> Result<Follower, Failure> {
    let noise = relay_key(&config.data)?;
    let opened = Follower::open(FollowerConfig {
        hub: config.hub,
        org: config.org,
        root: config.root,
        noise,
        data: config.data,
    });
    Ok(opened.map_err(Trouble::RelayForgot)?)
}

/// `None` when it was told to end before there was any.
async fn first_word(follower: &Follower, signals: &mut Signals) -> Option<Word> {
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => if let Signal::End = signal { return None },
            word = follower.first_word() => return Some(word),
        }
    }
}
