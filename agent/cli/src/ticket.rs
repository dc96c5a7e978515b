//! `tidegate ticket`: a join link with a one-time ticket in it, for one person's new device.
//! The link is the secret: it goes to standard output and nowhere else; give it to one person over a channel only they read.

use std::path::PathBuf;

use tidegate_link::now;
use tidegate_proto::{
    entropy::{Entropy, SystemEntropy},
    identity::SigningKey,
    names::Subject,
    statement::{JoinLink, JoinTicket, Statement, TicketKind, TicketStatement},
    strict::to_base64url,
};

use crate::{
    failure::Failure,
    org::{passphrase::PassphraseArgs, root_key::RootKey, settings::OrgSettings},
};

#[derive(clap::Args)]
pub(crate) struct Ticket {
    /// Directory that `tidegate org init` made.
    #[arg(long)]
    dir: PathBuf,
    /// The person, by the identity provider's `sub`.
    #[arg(long, allow_hyphen_values = true)]
    sub: Subject,
    /// How long it may wait to be used.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=168))]
    hours: u64,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Ticket {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let root = RootKey::open(&self.dir, self.passphrase.take()?)?;
        let settings = OrgSettings::load(&self.dir, &root.org, now())
            .map_err(|mistakes| Failure::mistakes(&self.dir.join("org.toml"), mistakes))?;
        let link = JoinLink {
            address: settings.hub,
            org: root.org.clone(),
            root: root.key.verify_key().peer_id(),
            ticket: Some(ticket(&root, self.sub.clone(), self.hours)),
        };
        println!("{}", link.to_link().as_str());
        eprintln!(
            "Good once, for {} h, for a device of {}.",
            self.hours, self.sub
        );
        Ok(())
    }
}

fn ticket(root: &RootKey, sub: Subject, hours: u64) -> JoinTicket {
    let key = SigningKey::generate(&SystemEntropy);
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id);
    let at = now();
    let statement = TicketStatement {
        org: root.org.clone(),
        kind: TicketKind::Device { sub },
        key: key.verify_key(),
        at,
        not_after: at.plus(hours * 3600),
        id: to_base64url(&id),
    };
    JoinTicket {
        jws: statement.sign(&root.key),
        key,
    }
}
