//! The verbs of people at their laptops: each in its own file, each with `--json`.
//! A newcomer would talk to the agent in a verb: `seat` does, so that all of them work with the running app and without one.

pub(crate) mod access;
mod bundle;
mod child;
mod config;
mod connect;
pub(crate) mod devices;
mod disconnect;
pub(crate) mod doctor;
mod dsn;
mod env;
mod events;
mod join;
mod leave;
mod login;
mod logout;
mod ls;
mod paths;
mod redact;
mod report;
#[cfg(test)]
mod samples;
pub(crate) mod schema;
mod seat;
mod status;
mod which;

use std::process::ExitCode;

use crate::failure::Failure;

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Enrol this computer with the link that your administrator sent.
    Join(join::Join),
    /// Forget an organisation and this computer's keys for it.
    Leave(leave::Leave),
    /// Sign in with your browser.
    Login(login::Login),
    /// End what is open and sign out.
    Logout(logout::Logout),
    /// List the services that are open to you.
    Ls(ls::Ls),
    /// Open a local port to a service.
    Connect(connect::Connect),
    /// Close the local port to a service.
    Disconnect(disconnect::Disconnect),
    /// Ask for access to a service.
    Request(access::Request),
    /// List the requests that wait for you, and your own.
    Requests(access::Requests),
    /// Approve somebody's request, or less than it asks for.
    Approve(access::Approve),
    /// Deny somebody's request, and say why.
    Deny(access::Deny),
    /// Take your request back.
    Withdraw(access::Withdraw),
    /// List what was granted, to you or by you.
    Grants(access::Grants),
    /// End what was granted, or ask for more time.
    Grant(access::Grant),
    /// Say what is open, for whom and until when.
    Status(status::Status),
    /// Print how to reach a service, for psql, Python, Java and others.
    Dsn(dsn::Dsn),
    /// Print a service's connection as shell variables.
    Env(env::Env),
    /// List your computers; let a new one in, shut a lost one out.
    Devices(devices::Devices),
    /// Find out what does not work, and how to mend it.
    Doctor(doctor::Doctor),
    /// Make a file for whoever helps you, without secrets.
    Bundle(bundle::Bundle),
    /// Show your settings, or change one.
    Config(config::Config),
    /// Say where everything lives on this computer.
    Paths(paths::Paths),
}

impl Verb {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Join(verb) => verb.run().await?,
            Self::Leave(verb) => verb.run().await?,
            Self::Login(verb) => verb.run().await?,
            Self::Logout(verb) => verb.run().await?,
            Self::Ls(verb) => verb.run().await?,
            Self::Connect(verb) => return verb.run().await,
            Self::Disconnect(verb) => verb.run().await?,
            Self::Request(verb) => verb.run().await?,
            Self::Requests(verb) => verb.run().await?,
            Self::Approve(verb) => verb.run().await?,
            Self::Deny(verb) => verb.run().await?,
            Self::Withdraw(verb) => verb.run().await?,
            Self::Grants(verb) => verb.run().await?,
            Self::Grant(verb) => verb.run().await?,
            Self::Status(verb) => verb.run().await?,
            Self::Dsn(verb) => verb.run().await?,
            Self::Env(verb) => verb.run().await?,
            Self::Devices(verb) => verb.run().await?,
            Self::Doctor(verb) => return verb.run().await,
            Self::Bundle(verb) => verb.run().await?,
            Self::Config(verb) => verb.run().await?,
            Self::Paths(verb) => verb.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
