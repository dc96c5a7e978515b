//! The `tidegate` command: one binary with the user's, the servers' and the administrator's verbs.
//! Each verb lives in its own file and returns `Result<(), Failure>`; only this file turns one into an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod audit;
mod connect;
mod disconnect;
mod failure;
mod hub;
mod hub_client;
mod join;
mod login;
mod lost_laptop;
mod org;
mod outlet;
mod process;
mod public_file;
mod revoke;
mod seat;
mod signals;
mod status;
mod telemetry;
mod ticket;
mod trouble;

use failure::Failure;

/// One door, to one service, for one person, for as long as was agreed.
#[derive(Parser)]
#[command(name = "tidegate", version, propagate_version = true)]
struct Tidegate {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Enrol this computer with the link that your administrator sent.
    Join(join::Join),
    /// Sign in with your browser.
    Login(login::Login),
    /// Open a local port to a service.
    Connect(connect::Connect),
    /// Close the local port to a service.
    Disconnect(disconnect::Disconnect),
    /// Say what is open, for whom and until when.
    Status(status::Status),
    /// Set up an organisation and sign what its servers may do.
    Org(org::Org),
    /// Make a one-time join link for a person.
    Ticket(ticket::Ticket),
    /// Shut a person or a device out, now.
    Revoke(revoke::Revoke),
    /// Shut a lost laptop out, and say what is left to do.
    LostLaptop(lost_laptop::LostLaptop),
    /// Run the hub: authority and relay in one process.
    Hub(hub::HubArgs),
    /// Run an outlet beside a service.
    Outlet(outlet::Outlet),
    /// Prove that an audit record is complete.
    Audit(audit::Audit),
}

impl Verb {
    /// Servers log what happens; the other verbs answer, and say what went wrong.
    fn is_server(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::Outlet(_))
    }
}

fn main() -> ExitCode {
    process::forbid_core_dumps();
    let asked = Tidegate::parse();
    telemetry::start(asked.verb.is_server());

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::internal("the async runtime did not start", &error).report(),
    };
    let ended = runtime.block_on(run(asked.verb));
    // A blocking call that never returns (a locked keyring) must not keep a finished command alive.
    runtime.shutdown_background();

    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Join(verb) => verb.run().await,
        Verb::Login(verb) => verb.run().await,
        Verb::Connect(verb) => verb.run().await,
        Verb::Disconnect(verb) => verb.run().await,
        Verb::Status(verb) => verb.run().await,
        Verb::Org(verb) => verb.run(),
        Verb::Ticket(verb) => verb.run(),
        Verb::Revoke(verb) => verb.run().await,
        Verb::LostLaptop(verb) => verb.run().await,
        Verb::Hub(verb) => verb.run().await,
        Verb::Outlet(verb) => verb.run().await,
        Verb::Audit(verb) => verb.run(),
    }
}
