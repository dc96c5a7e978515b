//! The relay's key, in a 0600 file of its own, and `tidegate relay keys`, which prints its public half for org.toml.
//! The hub's relay keeps one of the same shape: whichever relay it is, a key is made once and never replaced.

use std::path::{Path, PathBuf};

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
    /// The relay's data directory.
    #[arg(long)]
    data: PathBuf,
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let relay = relay_key(&self.data)?.public();
        println!("{:#}", serde_json::json!({ "relay": { "noise": relay } }));
        Ok(())
    }
}

/// Why there is no key to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    File(KeyFileError),
    /// What is in the file is something else.
    Damaged,
}

/// The key in this directory, made if there is none.
pub(crate) fn relay_key(dir: &Path) -> Result<NoiseSecret, Failure> {
    keyfile::private_directory(dir).map_err(|error| Trouble::file(dir, error))?;
    let path = dir.join(FILE);
    let kept = match kept_key(dir) {
        Err(NoKey::File(KeyFileError::Missing)) => key_in(&make(&path)?),
        kept => kept,
    };
    Ok(kept.map_err(|why| match why {
        NoKey::File(error) => Trouble::file(&path, error),
        NoKey::Damaged => Trouble::RelayKeyDamaged { path },
    })?)
}

/// The key in this directory, for looking only.
pub(super) fn kept_key(dir: &Path) -> Result<NoiseSecret, NoKey> {
    key_in(&keyfile::read(&dir.join(FILE), LENGTH).map_err(NoKey::File)?)
}

fn key_in(content: &[u8]) -> Result<NoiseSecret, NoKey> {
    let secret = content.strip_prefix(MAGIC);
    let secret = secret.and_then(|secret| <&[u8; 32]>::try_from(secret).ok());
    secret.map(NoiseSecret::from_bytes).ok_or(NoKey::Damaged)
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
        let data = dir.path().join("relay");

        let made = relay_key(&data).ok().unwrap().public();
        assert_eq!(relay_key(&data).ok().unwrap().public(), made);

        let path = data.join(FILE);
        keyfile::replace(&path, b"something else").unwrap();
        assert_eq!(
            relay_key(&data).err().unwrap(),
            Trouble::RelayKeyDamaged { path }.into()
        );
    }
}
