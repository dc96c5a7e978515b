//! `tidegate lost-laptop`: a laptop is gone. Shuts it out at the hub, says what that ended, and what is left to do.
//! A newcomer would shut out the person: she goes on working on her other computers, and gets a new one with a ticket.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_link::now;
use tidegate_proto::{
    api::devices::{DeviceInfo, DevicesAnswer, Inquiry, InquiryRequest},
    api::path,
    identity::PeerId,
    names::{HubAddress, Subject},
    statement::{RevokeTarget, Statement},
    text::Shown,
    time::UnixTime,
};

use crate::{
    failure::{Exit, Failure},
    hub_client::HubClient,
    org::{passphrase::PassphraseArgs, root_key::RootKey},
    revoke,
};

#[derive(clap::Args)]
pub(crate) struct LostLaptop {
    /// Directory that `tidegate org init` made.
    #[arg(long)]
    dir: PathBuf,
    /// The hub's address: host:port.
    #[arg(long)]
    hub: HubAddress,
    /// Whose laptop it was, by the identity provider's `sub`.
    #[arg(long, allow_hyphen_values = true)]
    sub: Subject,
    /// Which one, by its fingerprint or its name (`dev-…`); may be left out where there is only one.
    #[arg(long, value_name = "DEVICE", allow_hyphen_values = true)]
    device: Vec<String>,
    /// Only list the person's devices.
    #[arg(long)]
    list: bool,
    /// Print the devices as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl LostLaptop {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let root = RootKey::open(&self.dir, self.passphrase.take()?)?;
        let before = self.ask(&root).await?;
        if self.list {
            self.print(&before);
            return Ok(());
        }
        let lost = self.lost(&before)?;
        for device in &lost {
            let who = RevokeTarget::Device(device.id);
            revoke::send(&root, (&self.dir, &self.hub), who, "lost").await?;
        }
        let after = self.ask(&root).await?;
        if self.json {
            self.print(&after);
        } else {
            print!("{}", told(&self.sub, &lost, &after));
        }
        Ok(())
    }

    async fn ask(&self, root: &RootKey) -> Result<DevicesAnswer, Failure> {
        let inquiry = Inquiry {
            org: root.org.clone(),
            sub: self.sub.clone(),
            at: now(),
        };
        let request = InquiryRequest {
            inquiry: inquiry.sign(&root.key),
        };
        let fingerprint = root.key.verify_key().peer_id();
        let mut hub = HubClient::connect(&self.hub, &root.org, fingerprint).await?;
        hub.post(path::INQUIRY, &request).await
    }

    /// Those that are meant. One that was shut out before may be meant again: it does no harm.
    fn lost(&self, known: &DevicesAnswer) -> Result<Vec<DeviceInfo>, Failure> {
        let open: Vec<_> = known.devices.iter().filter(|one| !one.revoked).collect();
        if let ([only], []) = (&*open, &*self.device) {
            return Ok(vec![(*only).clone()]);
        }
        if self.device.is_empty() {
            return Err(self.which(&open));
        }
        let named = |asked: &String| {
            let found = known.devices.iter().find(|one| is(one, asked));
            found.cloned().ok_or_else(|| self.which(&open))
        };
        self.device.iter().map(named).collect()
    }

    fn which(&self, open: &[&DeviceInfo]) -> Failure {
        let mut listed = String::from("Run this again with --device and one of:");
        for device in open {
            listed.push_str(&format!("\n  {}", line(device)));
        }
        let (title, cause) = match (open.len(), self.device.is_empty()) {
            (0, _) => (
                "there is no laptop to shut out",
                "Every device of this person is shut out, or there never was one.",
            ),
            (_, true) => (
                "there are several",
                "It is not said which of this person's devices is lost.",
            ),
            (_, false) => (
                "there is no such device",
                "This person has no device of that name.",
            ),
        };
        let next = if open.is_empty() {
            "Check --sub; `--list` shows what the hub knows.".to_owned()
        } else {
            listed
        };
        Failure::new(Exit::Usage, title, cause, next)
    }

    fn print(&self, known: &DevicesAnswer) {
        if self.json {
            println!("{}", serde_json::json!(Laptops::of(known)));
            return;
        }
        for device in &known.devices {
            println!("{}", line(device));
        }
    }
}

/// The answer of `lost-laptop --json`: what the hub knows of the person's devices, afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Laptops {
    /// Whose they are.
    sub: String,
    devices: Vec<Laptop>,
}

/// One of them. Times are seconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Laptop {
    /// Its fingerprint: for `--device`, and for `tidegate revoke --device`.
    id: String,
    /// As records call it: `dev-…`.
    name: String,
    /// As it called itself; empty for one that came with a ticket.
    label: String,
    enrolled: u64,
    /// When it last got a credential.
    seen: Option<u64>,
    revoked: bool,
    /// The fingerprint of the device that let it in.
    vouched_by: Option<String>,
}

impl Laptops {
    fn of(known: &DevicesAnswer) -> Self {
        let laptop = |device: &DeviceInfo| Laptop {
            id: device.id.to_string(),
            name: Shown::new(&device.name).into(),
            label: Shown::new(&device.label).into(),
            enrolled: device.enrolled.0,
            seen: device.seen.map(|at| at.0),
            revoked: device.revoked,
            vouched_by: device.vouched_by.map(|id| id.to_string()),
        };
        Self {
            sub: known.sub.to_string(),
            devices: known.devices.iter().map(laptop).collect(),
        }
    }
}

fn is(device: &DeviceInfo, asked: &str) -> bool {
    device.name == asked || device.id.to_string() == asked
}

/// One device on one line, safe to print.
fn line(device: &DeviceInfo) -> String {
    let label = match device.label.as_str() {
        "" => "joined with a link".to_owned(),
        label => format!("\"{}\"", Shown::new(label)),
    };
    let seen = match device.seen {
        None => "never seen".to_owned(),
        Some(at) => format!("seen {}", ago(at)),
    };
    let out = if device.revoked { ", shut out" } else { "" };
    let name = Shown::new(&device.name);
    format!("{name}  {label}, {seen}{out}  {}", device.id)
}

fn ago(at: UnixTime) -> String {
    let seconds = at.until(now());
    match seconds {
        0..=119 => "just now".into(),
        120..=7_199 => format!("{} minutes ago", seconds / 60),
        7_200..=172_799 => format!("{} hours ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// What was ended, and what is left to do.
fn told(sub: &Subject, lost: &[DeviceInfo], after: &DevicesAnswer) -> String {
    let mut told = String::new();
    for device in lost {
        told.push_str(&format!("Shut out: {}\n", line(device)));
    }
    told.push_str(
        "What it had open is closed now, and nothing opens from it any more. Its key never comes back.\n",
    );
    let mut steps = Vec::new();
    for device in let_in_by(lost, &after.devices) {
        steps.push(format!(
            "The lost laptop let this one in, or one that it let in did: {}\n     If {sub} does not know it, run this again with --device {}.",
            line(device),
            Shown::new(&device.name)
        ));
    }
    steps.push(format!(
        "At the identity provider, end the sessions of {sub} and have the password changed: the laptop's browser may still be signed in there."
    ));
    steps.push(format!(
        "For a new laptop: tidegate ticket --sub {sub}, or let {sub} ask from it and approve on another computer of theirs."
    ));
    steps.push("What it did: the audit of each outlet names it by the fingerprint above.".into());
    told.push_str("\nWhat is left to do:\n");
    for (place, step) in steps.iter().enumerate() {
        told.push_str(&format!("  {}. {step}\n", place + 1));
    }
    told
}

/// Those that are still in and came in by the lost ones, at however many removes.
fn let_in_by<'a>(lost: &[DeviceInfo], all: &'a [DeviceInfo]) -> Vec<&'a DeviceInfo> {
    let mut by: BTreeSet<PeerId> = lost.iter().map(|device| device.id).collect();
    loop {
        let before = by.len();
        let came = |device: &&DeviceInfo| device.vouched_by.is_some_and(|one| by.contains(&one));
        let more: Vec<PeerId> = all.iter().filter(came).map(|device| device.id).collect();
        by.extend(more);
        if by.len() == before {
            break;
        }
    }
    let still_in = |device: &&DeviceInfo| {
        !device.revoked && device.vouched_by.is_some_and(|one| by.contains(&one))
    };
    all.iter().filter(still_in).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::{identity::SigningKey, text::readable};

    use super::*;

    fn device(n: u8, by: Option<u8>) -> DeviceInfo {
        let id = |n| SigningKey::from_seed(&[n; 32]).verify_key().peer_id();
        DeviceInfo {
            id: id(n),
            name: format!("dev-{n}"),
            label: "laptop\u{1b}[31m".into(),
            enrolled: UnixTime(1),
            seen: None,
            revoked: false,
            vouched_by: by.map(id),
        }
    }

    #[test]
    fn says_what_ended_and_whom_the_lost_one_let_in() {
        let sub: Subject = "00uana".parse().unwrap();
        let hostile = DeviceInfo {
            name: "dev-3\u{202e}\u{1b}[2J".into(),
            ..device(3, Some(2))
        };
        let after = DevicesAnswer {
            sub: sub.clone(),
            devices: vec![
                device(1, None),
                hostile,
                device(2, Some(1)),
                device(4, Some(9)),
            ],
        };

        let told = told(&sub, &[device(1, None)], &after);

        assert!(told.starts_with("Shut out: dev-1"), "{told}");
        assert!(told.contains("let this one in, or one that it let in did: dev-2"));
        assert!(told.contains("dev-3"), "{told}");
        assert!(!told.contains("dev-4"), "{told}");
        assert!(told.contains("end the sessions of 00uana"));
        assert_eq!(readable(&told), told);
        let listed = serde_json::json!(Laptops::of(&after)).to_string();
        assert_eq!(readable(&listed), listed);
    }
}
