//! The hub: authority and relay in one process, the only thing of Acme that listens to the internet.
//! It holds its own keys and the signed bundle, and nothing that could sign another one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Admin, ORG, tidegate};
use crate::ground::Site;
use crate::process::Process;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};
use crate::user::User;

const START: Duration = Duration::from_secs(20);

pub struct Hub {
    /// As join links name it.
    pub address: String,
    /// Its data directory: what a thief of the machine gets.
    pub data: PathBuf,
    pub process: Process,
}

/// Makes the hub's keys and gives the public halves.
pub(super) async fn keys(stage: &Arc<Stage>) -> Outcome<Value> {
    let command = tidegate(stage, "hub-keys", Site::Internet, User::Hub)?;
    let said = command
        .args(["hub", "keys", "--data"])
        .arg(data(stage))
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
        let home = stage.run().home(User::Hub);
        let port = address.rsplit(':').next().unwrap_or_default();
        stage
            .run()
            .private_file(User::Hub, &home.join("bundle.json"), bundle)?;
        let config = format!(
            "org = \"{ORG}\"\nroot = \"{}\"\nlisten = \"{}:{port}\"\ndata = \"{}\"\nbundle = \"{}\"\n",
            admin.root,
            stage.ground().hub(),
            data(stage).display(),
            home.join("bundle.json").display(),
        );
        stage
            .run()
            .private_file(User::Hub, &home.join("hub.toml"), config)?;
        let process = run(stage).await?;
        Ok(Self {
            address: address.to_owned(),
            data: data(stage),
            process,
        })
    }

    /// After a crash or a stop.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self, stage: &Arc<Stage>) -> Outcome<()> {
        self.process = run(stage).await?;
        Ok(())
    }
}

async fn run(stage: &Arc<Stage>) -> Outcome<Process> {
    let mut process = tidegate(stage, "hub", Site::Internet, User::Hub)?
        .args(["hub", "run", "--config"])
        .arg(stage.run().home(User::Hub).join("hub.toml"))
        .start(stage)?;
    process.says("listening", START).await?;
    Ok(process)
}

fn data(stage: &Stage) -> PathBuf {
    stage.run().home(User::Hub).join("data")
}
