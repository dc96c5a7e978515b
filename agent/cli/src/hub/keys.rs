//! `tidegate hub keys`: makes the hub's keys if there are none and prints their public halves for org.toml.
//! Authority and relay keep theirs apart: neither part of the process is given the other's.

use std::path::{Path, PathBuf};

use tidegate_authority::AuthorityKeys;
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    entropy::{Entropy, SystemEntropy},
    identity::NoiseSecret,
};
use zeroize::Zeroizing;

use crate::{failure::Failure, trouble::Trouble};

const FILE: &str = "relay.key";
/// First bytes of the file; the number changes with its shape.
const MAGIC: &[u8] = b"tidegate-relay-key/1\n";
const LENGTH: usize = MAGIC.len() + 32;

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
        let relay = relay_key(&self.data)?.public();
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

fn authority_keys(data: &Path) -> Result<AuthorityKeys, Failure> {
    AuthorityKeys::open_or_make(&authority_data(data), &SystemEntropy)
        .map_err(|error| Trouble::AuthorityRefused(error.into()).into())
}

/// The relay's key, made if there is none.
pub(crate) fn relay_key(data: &Path) -> Result<NoiseSecret, Failure> {
    let dir = data.join("relay");
    keyfile::private_directory(&dir).map_err(|error| Trouble::file(&dir, error))?;
    let path = dir.join(FILE);
    let content = match keyfile::read(&path, LENGTH) {
        Err(KeyFileError::Missing) => make(&path)?,
        read => read.map_err(|error| Trouble::file(&path, error))?,
    };
    let secret = content
        .strip_prefix(MAGIC)
        .and_then(|secret| <&[u8; 32]>::try_from(secret).ok());
    Ok(NoiseSecret::from_bytes(
        secret.ok_or(Trouble::RelayKeyDamaged { path })?,
    ))
}

fn make(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(vec![0; LENGTH]);
    content[..MAGIC.len()].copy_from_slice(MAGIC);
    SystemEntropy.fill(&mut content[MAGIC.len()..]);
    keyfile::create(path, &content).map_err(|error| Trouble::file(path, error))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_relays_key_is_made_once_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("hub");

        let made = relay_key(&data).ok().unwrap().public();
        assert_eq!(relay_key(&data).ok().unwrap().public(), made);

        let path = data.join("relay").join(FILE);
        keyfile::replace(&path, b"something else").unwrap();
        assert_eq!(
            relay_key(&data).err().unwrap(),
            Trouble::RelayKeyDamaged { path }.into()
        );
    }
}
