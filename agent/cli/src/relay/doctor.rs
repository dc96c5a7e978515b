//! `tidegate relay doctor`: looks at everything a relay of its own needs before it carries a byte, and says how to mend it.
//! It runs beside a running relay or before the first start, and changes nothing: no key is made, nothing learned is kept.

mod files;
mod hub;
mod port;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tidegate_proto::check::{Check, Needs, blame};
use tidegate_proto::problem::Code;
use tokio::time::timeout;

use super::config::RelayConfig;
use super::keys::kept_key;
use crate::failure::Failure;
use crate::out::OutArgs;
use crate::user::doctor::answer;

/// For the way to the hub, in whatever state the network is.
const LIMIT: Duration = Duration::from_secs(20);

/// What has to be right before something else can be: of all that fails for one reason, only the reason is shown.
const NEEDS: [Needs; 4] = [
    ("key", &["data"]),
    ("known", &["data"]),
    ("hub", &["dns", "clock"]),
    ("authority", &["dns", "clock", "key", "known"]),
];

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sudo -u tidegate-relay tidegate relay doctor --config /etc/tidegate/relay.toml
  tidegate relay doctor --config relay.toml --json

It changes nothing, and may run beside the relay. Exit code 0 when nothing fails, else 6 or what the failure says.")]
pub(crate) struct Doctor {
    /// The relay's settings.
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    #[command(flatten)]
    out: OutArgs,
}

impl Doctor {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        answer(&self.examine().await, self.out)
    }

    /// In the order in which whoever runs it should read it: files, then the port, then the way to the hub.
    async fn examine(&self) -> Vec<Check> {
        let config = match RelayConfig::parse(&self.config) {
            Ok(config) => config,
            Err(mistakes) => return mistakes.0.iter().map(files::mistake).collect(),
        };
        let key = kept_key(&config.data);
        let mut checks = files::checks(&config, &key);
        let key = key.ok();
        checks.push(port::check(&config, key.as_ref()).await);
        let way = timeout(LIMIT, hub::checks(config, key)).await;
        checks.extend(way.unwrap_or_else(|_| vec![Check::problem("hub", &Code::TimedOut.into())]));
        blame(&mut checks, &NEEDS);
        checks
    }
}
