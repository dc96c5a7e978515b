//! `tidegate outlet kill`: every portal closed at once, with a running outlet or before its next start.
//! Root is who gets called at night, and what root writes into an outlet's directory keeps that outlet from starting: so it is written as the owner.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_outlet::control::{self, Answer, ControlError};
use tidegate_outlet::kill::{Killed, Order};
use tidegate_proto::names::ServiceName;

use crate::failure::{Exit, Failure};

#[derive(clap::Args)]
pub(super) struct Kill {
    /// The outlet's configuration, TOML.
    #[arg(long, required_unless_present = "data")]
    config: Option<PathBuf>,
    /// The outlet's data directory, in place of the configuration.
    #[arg(long, conflicts_with = "config")]
    data: Option<PathBuf>,
    /// Only this service.
    #[arg(long)]
    service: Option<ServiceName>,
    /// Open again what was killed.
    #[arg(long)]
    undo: bool,
}

impl Kill {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let data = match (&self.data, &self.config) {
            (Some(data), _) => data.clone(),
            (None, Some(config)) => super::load(config)?.data,
            (None, None) => unreachable!("one of them is required"),
        };
        let order = if self.undo {
            Order::Undo(self.service)
        } else {
            Order::Kill(self.service)
        };
        let killed = match control::send(&data, &order).await {
            Ok(Answer::Done(killed)) => killed,
            Ok(Answer::NotKept) => {
                return Err(not_kept(
                    "it is in force now, but would be forgotten at a restart",
                ));
            }
            Ok(Answer::NotUnderstood) => return Err(no_answer("it runs another version")),
            Err(ControlError::NotRunning) => match other_owner(&data) {
                Some(owner) => return as_its_owner(&data, &order, &owner),
                None => written_down(&data, &order)?,
            },
            Err(error) => return Err(no_answer(error)),
        };
        println!("{}", serde_json::json!({ "killed": killed }));
        Ok(())
    }
}

/// Whose the data directory is, if we are root and it is not ours.
fn other_owner(data: &Path) -> Option<std::fs::Metadata> {
    let facts = std::fs::metadata(data).ok()?;
    let root = rustix::process::geteuid().is_root();
    (root && facts.uid() != 0).then_some(facts)
}

/// Does it once more in a process of the owner's. The directory is the owner's: root follows no link and reads no file in it.
fn as_its_owner(data: &Path, order: &Order, owner: &std::fs::Metadata) -> Result<(), Failure> {
    let own = std::env::current_exe().map_err(|error| not_kept(error.to_string()))?;
    let mut again = Command::new(own);
    again.args(["outlet", "kill", "--data"]).arg(data);
    let (service, undo) = match order {
        Order::Kill(service) => (service, false),
        Order::Undo(service) => (service, true),
    };
    if let Some(service) = service {
        again.args(["--service", service.as_str()]);
    }
    if undo {
        again.arg("--undo");
    }
    let ended = again.uid(owner.uid()).gid(owner.gid()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(not_kept(
            "run as the owner of the data directory, it failed as said above",
        )),
        Err(error) => Err(not_kept(error)),
    }
}

/// For the next start.
fn written_down(data: &Path, order: &Order) -> Result<Killed, Failure> {
    let killed = Killed::load(data).map_err(not_kept)?.after(order);
    killed.store(data).map_err(not_kept)?;
    tracing::warn!(
        "no outlet runs with this data directory, so the order counts from its next start"
    );
    Ok(killed)
}

fn not_kept(why: impl ToString) -> Failure {
    let next = "make the data directory writable, or stop the outlet";
    Failure::new(
        Exit::ThisComputer,
        "the order was not kept",
        why.to_string(),
        next,
    )
}

fn no_answer(why: impl ToString) -> Failure {
    let next = "run this as the outlet's own user (sudo -u tidegate-outlet …), or stop the outlet itself: that ends every portal too";
    Failure::new(
        Exit::ThisComputer,
        "the outlet did not obey",
        why.to_string(),
        next,
    )
}
