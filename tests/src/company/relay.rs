//! The relay that is not in the hub: a computer of its own on the internet, with nothing on it but its key.
//! It is started after the hub, because without the authority's word it admits nobody.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Admin, ORG, tidegate};
use crate::ground::{self, Site};
use crate::process::Process;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};
use crate::user::User;

/// Ends a wait in vain; how long a start takes on a busy machine is nobody's promise.
const START: Duration = Duration::from_secs(90);

pub struct Relay {
    pub process: Process,
}

/// Where it will be, as the catalogue names it.
pub(super) fn address(stage: &Arc<Stage>) -> Outcome<String> {
    let port = stage.port(ground::RELAY_PORT)?;
    Ok(format!("{}:{port}", stage.host("relay.acme.example")))
}

/// Makes its key and gives the public half.
pub(super) async fn keys(stage: &Arc<Stage>) -> Outcome<Value> {
    let command = tidegate(stage, "relay-keys", Site::Internet, User::Relay)?;
    let said = command
        .args(["relay", "keys", "--data"])
        .arg(data(stage))
        .output(stage, START)
        .await?;
    serde_json::from_str(&said).doing("read the relay's public key")
}

impl Relay {
    pub(super) async fn start(
        stage: &Arc<Stage>,
        admin: &Admin,
        address: &str,
        hub: &str,
    ) -> Outcome<Self> {
        if let Some(network) = stage.ground().network() {
            network.let_out_to_the_relay()?;
        }
        let home = stage.run().home(User::Relay);
        let port = address.rsplit(':').next().unwrap_or_default();
        let config = format!(
            "org = \"{ORG}\"\nroot = \"{}\"\nlisten = \"{}:{port}\"\ndata = \"{}\"\nhub = \"{hub}\"\n",
            admin.root,
            stage.ground().hub(),
            data(stage).display(),
        );
        stage
            .run()
            .private_file(User::Relay, &home.join("relay.toml"), config)?;
        let process = run(stage).await?;
        Ok(Self { process })
    }

    /// After a stop, whoever else is there.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self, stage: &Arc<Stage>) -> Outcome<()> {
        self.process = run(stage).await?;
        Ok(())
    }
}

async fn run(stage: &Arc<Stage>) -> Outcome<Process> {
    let mut process = tidegate(stage, "relay", Site::Internet, User::Relay)?
        .args(["relay", "run", "--config"])
        .arg(stage.run().home(User::Relay).join("relay.toml"))
        .start(stage)?;
    process.says("relay is listening", START).await?;
    Ok(process)
}

fn data(stage: &Stage) -> PathBuf {
    stage.run().home(User::Relay).join("data")
}
