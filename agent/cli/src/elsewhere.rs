//! The verbs of servers and of administrators where there is no Unix: each says so, whatever is typed behind it.
//! A newcomer would leave them out: then an administrator on Windows reads that there is no such word.

use std::process::ExitCode;

use crate::failure::{Exit, Failure};

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Run an outlet beside a service (Linux and macOS only).
    Outlet(Rest),
    /// Run the hub: authority and relay in one process (Linux and macOS only).
    Hub(Rest),
    /// Run a relay of its own, for the bytes only (Linux and macOS only).
    Relay(Rest),
    /// Set up an organisation and sign what its servers may do (Linux and macOS only).
    Org(Rest),
    /// Make a one-time join link for a person (Linux and macOS only).
    Ticket(Rest),
    /// Shut a person or a device out, now (Linux and macOS only).
    Revoke(Rest),
    /// Shut a lost laptop out, and say what is left to do (Linux and macOS only).
    LostLaptop(Rest),
    /// Show what audits say: who, when, what, and why (Linux and macOS only).
    Log(Rest),
    /// Prove that an audit record is complete (Linux and macOS only).
    Audit(Rest),
}

#[derive(clap::Args)]
pub(crate) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

impl Verb {
    pub(crate) fn is_server(&self) -> bool {
        false
    }

    #[allow(clippy::unused_async)] // as the other one
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        Err(Failure::new(
            Exit::Usage,
            "this does not run on this computer",
            "Servers and the tools of administrators need Linux or macOS; here are the verbs of people.",
            "Run it there: the same command, from the package `tidegate`.",
        ))
    }
}
