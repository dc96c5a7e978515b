//! The `tidegate` command: one binary with the user's, the servers' and the administrator's verbs.
//! Each verb lives in its own file and returns `Result<(), Failure>`; only this file turns one into an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod audit;
mod failure;
mod help;
mod hub;
mod hub_client;
mod lost_laptop;
mod org;
mod out;
mod outlet;
mod process;
mod public_file;
mod reception;
mod relay;
mod revoke;
mod shipped;
mod signals;
mod table;
mod telemetry;
mod terminal;
mod ticket;
mod trouble;
mod user;

use failure::Failure;

/// One door, to one service, for one person, for as long as was agreed.
#[derive(Parser)]
#[command(name = "tidegate", version, propagate_version = true)]
struct Tidegate {
    /// Log what happens to standard error; twice for every detail. TIDEGATE_LOG chooses more finely.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    #[command(flatten)]
    User(user::Verb),
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
    /// Prove that an audit record is complete.
    Audit(audit::Audit),
    /// Print the JSON Schema of what `--json` prints.
    #[command(hide = true)]
    Schema(user::schema::Schema),
    /// Print a completion script for a shell.
    Completions(shipped::Completions),
    /// Write the manual pages into a directory.
    #[command(hide = true)]
    Man(shipped::Man),
}

impl Verb {
    /// Servers log what happens; the other verbs answer, and say what went wrong.
    fn is_server(&self) -> bool {
        match self {
            Self::Hub(_) => true,
            Self::Relay(relay) => relay.is_server(),
            Self::Outlet(outlet) => outlet.is_server(),
            _ => false,
        }
    }

    fn wants_json(&self) -> bool {
        matches!(self, Self::User(verb) if verb.out().json)
    }
}

fn main() -> ExitCode {
    process::forbid_core_dumps();
    let asked = help::parse();
    telemetry::start(asked.verb.is_server(), asked.verbose);
    let json = asked.verb.wants_json();

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::internal("the async runtime did not start", &error).report(json);
        }
    };
    let ended = runtime.block_on(run(asked.verb));
    // A blocking call that never returns (a locked keyring) must not keep a finished command alive.
    runtime.shutdown_background();

    match ended {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    }
}

async fn run(verb: Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::User(verb) => return verb.run().await,
        Verb::Outlet(verb) => return verb.run().await,
        Verb::Hub(verb) => verb.run().await?,
        Verb::Relay(verb) => return verb.run().await,
        Verb::Org(verb) => verb.run()?,
        Verb::Ticket(verb) => verb.run()?,
        Verb::Revoke(verb) => verb.run().await?,
        Verb::LostLaptop(verb) => verb.run().await?,
        Verb::Audit(verb) => verb.run()?,
        Verb::Schema(verb) => verb.run()?,
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
