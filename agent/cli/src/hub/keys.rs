//! `tidegate hub keys`: makes the hub's keys if there are none and prints their public halves for org.toml.
//! Authority and relay keep theirs apart: neither part of the process is given the other's.

use std::path::{Path, PathBuf};

use tidegate_authority::AuthorityKeys;
use tidegate_link::keyfile;
use tidegate_proto::entropy::SystemEntropy;

use crate::{failure::Failure, relay::keys::relay_key, trouble::Trouble};

#[derive(clap::Args)]
pub(crate) struct Keys {
    /// The hub's data directory.
    #[arg(long)]
    data: PathBuf,
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failure> {
        keyfile::private_directory(&self.data).map_err(|error| Trouble::file(&self.data, error))?;
        let authority = authority_keys(&self.data)?.public();
        let relay = relay_key(&relay_data(&self.data))?.public();
        let printed = serde_json::json!({
            "authority": { "key": authority.key, "noise": authority.noise },
            "relay": { "noise": relay },
        });
        println!("{printed:#}");
        Ok(())
    }
}

/// The authority's part of the data directory.
pub(crate) fn authority_data(data: &Path) -> PathBuf {
    data.join("authority")
}

/// The relay's part of it.
pub(crate) fn relay_data(data: &Path) -> PathBuf {
    data.join("relay")
}

fn authority_keys(data: &Path) -> Result<AuthorityKeys, Failure> {
    AuthorityKeys::open_or_make(&authority_data(data), &SystemEntropy)
        .map_err(|error| Trouble::AuthorityRefused(error.into()).into())
}
