//! `tidegate relay`: a relay of its own, beside or in place of the one in the hub. It moves ciphertext and signs nothing.
//! It listens only once it knows whom to believe: from its authority, or from what that said before it went away.

mod config;
mod doctor;
pub(crate) mod keys;
mod run;

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;
use tidegate_link::{Guest, Preface, read_preface};
use tidegate_relay::{
    Relay,
    follow::{Follower, Told},
};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    reception::Reception,
    signals::{Signal, Signals},
};

#[derive(clap::Args)]
pub(crate) struct RelayArgs {
    #[command(subcommand)]
    verb: RelayVerb,
}

#[derive(Subcommand)]
enum RelayVerb {
    /// Make the relay's key if there is none, and print what goes into org.toml.
    Keys(keys::Keys),
    /// Run until told to end (SIGTERM).
    Run(run::Run),
    /// Find out what keeps the relay from carrying anything, and how to mend it.
    Doctor(doctor::Doctor),
}

impl RelayArgs {
    /// Whether it serves, and logs what it does.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.verb, RelayVerb::Run(_))
    }

    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        match self.verb {
            RelayVerb::Keys(verb) => verb.run()?,
            RelayVerb::Run(verb) => verb.run().await?,
            RelayVerb::Doctor(verb) => return verb.run().await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A relay, and the task that hears what it goes by.
struct Running {
    relay: Relay,
    follower: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    fn start(relay: Relay, follower: Follower, told: Arc<Told>) -> Self {
        let stop = CancellationToken::new();
        let follower = tokio::spawn(follower.run(told, stop.clone()));
        Self {
            relay,
            follower,
            stop,
        }
    }

    /// Serves until told to end, then drains.
    async fn run(self, mut reception: Reception, mut signals: Signals) {
        loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::End => break,
                    Signal::Reload => tracing::info!("a relay has nothing to read again, it hears of changes by itself"),
                },
                (tcp, guest) = reception.next() => reception.serve(receive(self.relay.clone(), tcp, guest)),
            }
        }
        self.shutdown(reception).await;
    }

    /// Everything ends in less than five seconds.
    async fn shutdown(self, reception: Reception) {
        tracing::info!(
            links = self.relay.links(),
            circuits = self.relay.circuits(),
            "relay is draining"
        );
        self.stop.cancel();
        self.relay.drain();
        reception.close().await;
        self.relay.shutdown().await;
        if self.follower.await.is_err() {
            tracing::error!("following the authority ended in a panic");
        }
    }
}

/// Asks a connection whom it wants. Who asks for the authority is at the wrong door.
async fn receive(relay: Relay, mut tcp: TcpStream, guest: Guest) {
    match guest.within(read_preface(&mut tcp)).await {
        Ok(Preface::Link) => relay.serve_link(tcp, guest),
        Ok(Preface::Circuit(token)) => relay.serve_circuit(tcp, token),
        Ok(Preface::Api) => tracing::debug!("a connection asked a relay for the authority"),
        Err(error) => tracing::debug!(%error, "a connection did not get through the door"),
    }
}
