//! `tidegate org init|sign`: what the administrator does, on a machine of their own, with the root key.
//! Nothing in here talks to anybody: a bundle is carried to the hub as a file.

mod init;
pub(crate) mod passphrase;
mod relays;
pub(crate) mod root_key;
pub(crate) mod settings;
mod sign;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Org {
    #[command(subcommand)]
    verb: OrgVerb,
}

#[derive(Subcommand)]
enum OrgVerb {
    /// Make a root key and the files that describe the org.
    Init(init::Init),
    /// Check the description and sign it into a bundle for the hub.
    Sign(sign::Sign),
}

impl Org {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.verb {
            OrgVerb::Init(verb) => verb.run(),
            OrgVerb::Sign(verb) => verb.run(),
        }
    }
}
