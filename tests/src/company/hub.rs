//! The hub: authority and relay in one process, the only thing of Acme that listens to the internet.
//! It holds its own keys and the signed bundle, and nothing that could sign another one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Admin, Firm, tidegate};
use crate::ground::Site;
use crate::process::Process;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};

/// Ends a wait in vain; how long a start takes on a busy machine is nobody's promise.
const START: Duration = Duration::from_secs(90);

pub struct Hub {
    firm: Firm,
    /// As join links name it.
    pub address: String,
    /// Its data directory: what a thief of the machine gets.
    pub data: PathBuf,
    pub process: Process,
}

/// Makes the hub's keys and gives the public halves.
pub(super) async fn keys(stage: &Arc<Stage>, firm: Firm) -> Outcome<Value> {
    let command = tidegate(stage, &firm.log("hub-keys"), Site::Internet, firm.hub())?;
    let said = command
        .args(["hub", "keys", "--data"])
        .arg(data(stage, firm))
        .output(stage, START)
        .await?;
    serde_json::from_str(&said).doing("read the hub's public keys")
}

impl Hub {
    pub(super) async fn start(
        stage: &Arc<Stage>,
        admin: &Admin,
        address: &str,
        bundle: &[u8],
    ) -> Outcome<Self> {
        let firm = admin.firm;
        let home = stage.run().home(firm.hub());
        let port = address.rsplit(':').next().unwrap_or_default();
        stage
            .run()
            .private_file(firm.hub(), &home.join("bundle.json"), bundle)?;
        let config = format!(
            "org = \"{}\"\nroot = \"{}\"\nlisten = \"{}:{port}\"\ndata = \"{}\"\nbundle = \"{}\"\n",
            firm.org(),
            admin.root,
            firm.hub_ip(stage.ground()),
            data(stage, firm).display(),
            home.join("bundle.json").display(),
        );
        stage
            .run()
            .private_file(firm.hub(), &home.join("hub.toml"), config)?;
        let process = run(stage, firm).await?;
        Ok(Self {
            firm,
            address: address.to_owned(),
            data: data(stage, firm),
            process,
        })
    }

    /// After a crash or a stop.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self, stage: &Arc<Stage>) -> Outcome<()> {
        self.process = run(stage, self.firm).await?;
        Ok(())
    }
}

impl Hub {
    /// What `tidegate log` shows there, typed by the hub's own user.
    ///
    /// # Errors
    /// When it fails.
    pub async fn log(&self, stage: &Arc<Stage>, name: &str, words: &[&str]) -> Outcome<String> {
        let command = tidegate(stage, name, Site::Internet, self.firm.hub())?;
        let command = command.arg("log").arg(&self.data).args(words);
        command.output(stage, START).await
    }
}

async fn run(stage: &Arc<Stage>, firm: Firm) -> Outcome<Process> {
    let mut process = tidegate(stage, &firm.log("hub"), Site::Internet, firm.hub())?
        .args(["hub", "run", "--config"])
        .arg(stage.run().home(firm.hub()).join("hub.toml"))
        .start(stage)?;
    process.says("listening", START).await?;
    Ok(process)
}

fn data(stage: &Stage, firm: Firm) -> PathBuf {
    stage.run().home(firm.hub()).join("data")
}
