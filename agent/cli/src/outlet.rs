//! `tidegate outlet keys|enrol|owner|policy|run|kill`: what runs beside a service.
//! A newcomer would run these as root: an outlet refuses files that are not its own user's.

mod enrol;
mod kill;
mod owner;

use std::path::PathBuf;
use std::process::ExitCode;

use tidegate_outlet::keys::{KeysError, OutletKeys};
use tidegate_outlet::{Outlet as Running, OutletConfig, StartError};
use tidegate_proto::entropy::SystemEntropy;

use crate::{
    failure::{Exit, Failure},
    out::OutArgs,
    signals::{Signal, Signals},
    user::doctor::answer,
};

#[derive(clap::Args)]
pub(crate) struct Outlet {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print the outlet's public keys for `org.toml`, and the fingerprint by which it is revoked; make them first if there are none.
    Keys(Keys),
    /// Become an outlet by the ticket that an administrator made.
    Enrol(enrol::Enrol),
    /// Serve until SIGTERM. SIGHUP reads the owner's policy again.
    Run(Run),
    /// Find out what keeps people from getting in, and how to mend it.
    Doctor(Doctor),
    /// Make the owner's key, which signs the outlet's policy.
    Owner(owner::Owner),
    /// Sign the owner's policy.
    Policy(owner::Policy),
    /// Close every portal now, and let none open until `--undo`.
    Kill(kill::Kill),
}

#[derive(clap::Args)]
struct Keys {
    /// The outlet's data directory.
    #[arg(long)]
    data: PathBuf,
}

#[derive(clap::Args)]
struct Run {
    /// The outlet's configuration, TOML.
    #[arg(long)]
    config: PathBuf,
    /// A file with the link from `tidegate ticket --outlet`: enrols first, if that was not done before.
    #[arg(long, value_name = "FILE")]
    ticket: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sudo -u tidegate-outlet tidegate outlet doctor --config /etc/tidegate/outlet.toml
  tidegate outlet doctor --config outlet.toml --json

It changes nothing, and may run beside the outlet. Exit code 0 when nothing fails, else 6 or what the failure says.")]
struct Doctor {
    /// The outlet's configuration, TOML.
    #[arg(long)]
    config: PathBuf,
    #[command(flatten)]
    out: OutArgs,
}

impl Outlet {
    /// Whether it serves, and logs what it does.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.verb, Verb::Run(_) | Verb::Kill(_))
    }

    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Keys(keys) => keys.run()?,
            Verb::Enrol(enrol) => enrol.run().await?,
            Verb::Run(run) => run.run().await?,
            Verb::Doctor(doctor) => return doctor.run().await,
            Verb::Owner(owner) => owner.run()?,
            Verb::Policy(policy) => policy.run()?,
            Verb::Kill(kill) => kill.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Keys {
    fn run(self) -> Result<(), Failure> {
        let keys = OutletKeys::load_or_make(&self.data, &SystemEntropy).map_err(no_keys)?;
        let public = serde_json::json!({
            "identity": keys.identity.verify_key(),
            "noise": keys.noise.public(),
            "fingerprint": keys.identity.verify_key().peer_id(),
        });
        println!("{public}");
        Ok(())
    }
}

impl Run {
    async fn run(self) -> Result<(), Failure> {
        let config = load(&self.config)?;
        if let Some(ticket) = &self.ticket {
            enrol::enrol_once(&config, ticket).await?;
        }
        // Listened for before anything is opened: an early signal must not kill us half way.
        let mut signals = Signals::listen()
            .map_err(|error| Failure::internal("signals cannot be received", &error))?;
        let outlet = Running::start(config)
            .await
            .map_err(|error| not_started(&error))?;
        let mut told = false;
        loop {
            let signal = tokio::select! {
                () = outlet.ready(), if !told => None,
                signal = signals.next() => Some(signal),
            };
            match signal {
                None => {
                    told = true;
                    tracing::info!("outlet is ready");
                }
                Some(Signal::Reload) => match outlet.reload_policy().await {
                    Ok(()) => tracing::info!("owner's policy was read again"),
                    Err(error) => {
                        tracing::error!(%error, "owner's policy was not used, the one before stays in force")
                    }
                },
                Some(Signal::End) => break,
            }
        }
        outlet.shutdown().await;
        Ok(())
    }
}

impl Doctor {
    async fn run(self) -> Result<ExitCode, Failure> {
        let checks = tidegate_outlet::doctor::examine(&self.config).await;
        answer(&checks, self.out)
    }
}

fn no_keys(error: KeysError) -> Failure {
    Failure::new(
        Exit::ThisComputer,
        "the outlet's keys cannot be used",
        error.to_string(),
        "correct the file, or name another data directory",
    )
}

fn load(path: &std::path::Path) -> Result<OutletConfig, Failure> {
    OutletConfig::load(path).map_err(|mistakes| Failure::mistakes(path, mistakes))
}

fn not_started(error: &StartError) -> Failure {
    let next = match error {
        StartError::Keys(_) => {
            "make the keys with `tidegate outlet keys` or `tidegate outlet enrol`, or correct the file"
        }
        StartError::AlreadyRunning(_) => {
            "stop the other one, or give this one a data directory of its own"
        }
        _ => "correct that and start again; nothing was opened",
    };
    Failure::new(
        Exit::ThisComputer,
        "the outlet does not start",
        error.to_string(),
        next,
    )
}
