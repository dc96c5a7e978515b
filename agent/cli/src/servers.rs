//! The verbs of servers and of administrators. They need Unix: its sockets, modes of files and signals.
//! Where there is none, `elsewhere.rs` stands in this one's place, with the same words and one answer.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::{audit, hub, log, lost_laptop, org, outlet, relay, revoke, ticket};

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Run an outlet beside a service.
    Outlet(outlet::Outlet),
    /// Run the hub: authority and relay in one process.
    Hub(hub::HubArgs),
    /// Run a relay of its own, for the bytes only.
    Relay(relay::RelayArgs),
    /// Set up an organisation and sign what its servers may do.
    Org(org::Org),
    /// Make a one-time join link for a person.
    Ticket(ticket::Ticket),
    /// Shut a person or a device out, now.
    Revoke(revoke::Revoke),
    /// Shut a lost laptop out, and say what is left to do.
    LostLaptop(lost_laptop::LostLaptop),
    /// Show what audits say: who, when, what, and why.
    Log(log::Log),
    /// Prove that an audit record is complete.
    Audit(audit::Audit),
}

impl Verb {
    pub(crate) fn is_server(&self) -> bool {
        match self {
            Self::Hub(_) => true,
            Self::Relay(relay) => relay.is_server(),
            Self::Outlet(outlet) => outlet.is_server(),
            _ => false,
        }
    }

    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Outlet(verb) => return verb.run().await,
            Self::Hub(verb) => verb.run().await?,
            Self::Relay(verb) => return verb.run().await,
            Self::Org(verb) => verb.run()?,
            Self::Ticket(verb) => verb.run()?,
            Self::Revoke(verb) => verb.run().await?,
            Self::LostLaptop(verb) => verb.run().await?,
            Self::Log(verb) => verb.run().await?,
            Self::Audit(verb) => verb.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
