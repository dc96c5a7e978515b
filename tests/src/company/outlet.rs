//! The outlet beside the database: dials out only, holds the login, has the last word, keeps the record.
//! Its login comes as the JSON file that a secrets manager would mount.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Blueprint, Firm, tidegate};
use crate::ground::Site;
use crate::process::{Process, Signal};
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::warehouse::{DATABASE, LOGIN};

/// Ends a wait in vain; how long a start takes on a busy machine is nobody's promise.
const START: Duration = Duration::from_secs(90);

pub struct Outlet {
    stage: Arc<Stage>,
    firm: Firm,
    /// Its identity key, which signs the record.
    identity: String,
    pub process: Process,
}

/// Makes the outlet's keys and gives the public halves.
pub(super) async fn keys(stage: &Arc<Stage>, firm: Firm) -> Outcome<Value> {
    let name = firm.log("outlet-keys");
    let command = tidegate(stage, &name, Site::Private, firm.outlet())?;
    let said = command
        .args(["outlet", "keys", "--data"])
        .arg(data(stage, firm))
        .output(stage, START)
        .await?;
    serde_json::from_str(&said).doing("read the outlet's public keys")
}

/// One whose files are there, and which does not run yet.
pub(super) struct SetUp {
    stage: Arc<Stage>,
    firm: Firm,
    identity: String,
}

impl SetUp {
    /// Uses the administrator's ticket.
    pub(super) async fn enrol(&self, link: &str) -> Outcome<()> {
        let outlet = self.firm.outlet();
        let home = self.stage.run().home(outlet);
        let ticket = home.join("ticket");
        self.stage.run().private_file(outlet, &ticket, link)?;
        let name = self.firm.log("outlet-enrol");
        let enrol = tidegate(&self.stage, &name, Site::Private, outlet)?
            .args(["outlet", "enrol", "--config"])
            .arg(home.join("outlet.toml"))
            .arg(ticket);
        let said = enrol.output(&self.stage, START).await;
        said.map(drop).doing("become an outlet by a ticket")
    }

    pub(super) async fn start(self) -> Outcome<Outlet> {
        let process = run(&self.stage, self.firm).await?;
        Ok(Outlet {
            stage: self.stage,
            firm: self.firm,
            identity: self.identity,
            process,
        })
    }
}

impl Outlet {
    pub(super) fn set_up(
        stage: &Arc<Stage>,
        plan: &Blueprint<'_>,
        settings: &str,
        keys: &Value,
    ) -> Outcome<SetUp> {
        let firm = plan.firm;
        let home = stage.run().home(firm.outlet());
        let warehouse = plan.warehouse;
        let login = json!({
            "host": warehouse.host, "port": warehouse.address.port().to_string(), "database": DATABASE,
            "username": LOGIN, "password": warehouse.password,
        });
        let (login, policy) = (login.to_string(), plan.owner_policy());
        let files = [
            ("outlet.toml", settings),
            ("owner.cedar", &policy),
            ("login.json", &login),
            ("acme-ca.pem", plan.ca.pem()),
        ];
        for (name, text) in files {
            stage
                .run()
                .private_file(firm.outlet(), &home.join(name), text)?;
        }
        Ok(SetUp {
            stage: Arc::clone(stage),
            firm,
            identity: keys["identity"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// After a crash or a stop.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self) -> Outcome<()> {
        self.process = run(&self.stage, self.firm).await?;
        Ok(())
    }

    /// Ends it well and starts it again, as after a change of its settings.
    ///
    /// # Errors
    /// When it does not end or does not come up.
    pub async fn restart(&mut self) -> Outcome<()> {
        self.process.signal(Signal::TERM)?;
        self.process.ended(START).await?;
        self.start_again().await
    }

    /// A file of its own, by its name.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, name: &str) -> Outcome<String> {
        let file = self.stage.run().home(self.firm.outlet()).join(name);
        std::fs::read_to_string(file).doing(format!("read the outlet's {name}"))
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Outcome<()> {
        let file = self.stage.run().home(self.firm.outlet()).join(name);
        self.stage
            .run()
            .private_file(self.firm.outlet(), &file, text)
    }

    /// What `tidegate outlet doctor` finds, as it prints it for a person; whether all is well.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn doctor(&self, name: &str) -> Outcome<(bool, String)> {
        let command = tidegate(&self.stage, name, Site::Private, self.firm.outlet())?;
        let config = self
            .stage
            .run()
            .home(self.firm.outlet())
            .join("outlet.toml");
        let command = command.args(["outlet", "doctor", "--config"]).arg(config);
        let mut doctor = command.start(&self.stage)?;
        let status = doctor.ended(START).await?;
        Ok((status.success(), doctor.stdout()))
    }

    /// The audit record, line by line, as the events it holds. Signatures are proved by [`Outlet::verify_audit`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn events(&self) -> Outcome<Vec<Value>> {
        events_in(&data(&self.stage, self.firm).join("audit"))
    }

    /// Waits for a line of statements that fits.
    ///
    /// # Errors
    /// When none comes within `limit`.
    pub async fn statement(
        &self,
        what: &str,
        limit: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let folder = data(&self.stage, self.firm).join("audit/statements");
        one_of(what, limit, || events_in(&folder), fits).await
    }

    /// Waits for an event that fits.
    ///
    /// # Errors
    /// When none comes within `limit`.
    pub async fn event(
        &self,
        what: &str,
        limit: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        one_of(what, limit, || self.events(), fits).await
    }

    /// What `tidegate audit verify` says about the record, told who must have kept it.
    ///
    /// # Errors
    /// When the chain is broken.
    pub async fn verify_audit(&self) -> Outcome<String> {
        let name = self.firm.log("audit-verify");
        let command = tidegate(&self.stage, &name, Site::Private, self.firm.outlet())?;
        let record = data(&self.stage, self.firm).join("audit");
        let command = command
            .args([
                "audit",
                "verify",
                "--org",
                self.firm.org(),
                "--identity",
                &self.identity,
            ])
            .arg(record);
        command.output(&self.stage, START).await
    }
}

/// The lines of a record's files, in order. One without its end is being written.
fn events_in(folder: &Path) -> Outcome<Vec<Value>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let mut events = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        let whole = text.rfind('\n').unwrap_or(0);
        for line in text[..whole].lines() {
            events.push(payload(line)?);
        }
    }
    Ok(events)
}

/// Waits for an event that fits.
async fn one_of(
    what: &str,
    limit: Duration,
    events: impl Fn() -> Outcome<Vec<Value>>,
    fits: impl Fn(&Value) -> bool,
) -> Outcome<Value> {
    let until = Instant::now() + limit;
    loop {
        let events = events()?;
        if let Some(event) = events.iter().rev().find(|event| fits(event)) {
            return Ok(event.clone());
        }
        if Instant::now() > until {
            let all: Vec<String> = events.iter().map(Value::to_string).collect();
            return Err(Trouble::new(format!(
                "the audit has no {what}; it has:\n{}",
                all.join("\n")
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn run(stage: &Arc<Stage>, firm: Firm) -> Outcome<Process> {
    let mut process = tidegate(stage, &firm.log("outlet"), Site::Private, firm.outlet())?
        .args(["outlet", "run", "--config"])
        .arg(stage.run().home(firm.outlet()).join("outlet.toml"))
        .start(stage)?;
    process.says("outlet is ready", START).await?;
    Ok(process)
}

/// The middle part of a JWS, wherever in the line it stands.
fn payload(line: &str) -> Outcome<Value> {
    let jws = line.trim().trim_matches('"');
    let middle = jws
        .split('.')
        .nth(1)
        .doing("find the payload of an audit line")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle)?)?)
}

fn data(stage: &Stage, firm: Firm) -> PathBuf {
    stage.run().home(firm.outlet()).join("data")
}
