//! The `tidegate` command: one binary with the user's, the servers' and the administrator's verbs.
//! Each verb lives in its own file and returns `Result<(), Failure>`; only this file turns one into an exit code.
// Words for servers and administrators are here on every system, and nobody says them where their verbs are not.
#![cfg_attr(not(unix), allow(dead_code))]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(unix)]
mod audit;
mod failure;
mod help;
#[cfg(unix)]
mod hub;
#[cfg(unix)]
mod hub_client;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod lost_laptop;
mod memory;
#[cfg(unix)]
mod org;
mod out;
#[cfg(unix)]
mod outlet;
mod process;
#[cfg(unix)]
mod public_file;
#[cfg(unix)]
mod reception;
#[cfg(unix)]
mod relay;
#[cfg(unix)]
mod revoke;
#[cfg(unix)]
mod server_file;
#[cfg_attr(not(unix), path = "elsewhere.rs")]
mod servers;
mod shipped;
mod signals;
mod table;
mod telemetry;
mod terminal;
#[cfg(unix)]
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
    #[command(flatten)]
    Server(servers::Verb),
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
        matches!(self, Self::Server(verb) if verb.is_server())
    }
}

fn main() -> ExitCode {
    process::forbid_core_dumps();
    let json = help::wants_json();
    let asked = match help::parse(json) {
        Ok(asked) => asked,
        Err(failure) => return failure.report(json),
    };
    telemetry::start(asked.verb.is_server(), asked.verbose);

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
        Verb::Server(verb) => return verb.run().await,
        Verb::Schema(verb) => verb.run()?,
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
