//! The org root key as a file: encrypted by a passphrase (age, scrypt), opened only for the moment of signing.
//! Whoever has file and passphrase is the org; neither ever belongs on the hub.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    entropy::Entropy,
    identity::SigningKey,
    names::OrgName,
    statement::{RootStatement, Statement},
};
use zeroize::Zeroizing;

use crate::{failure::Failure, trouble::Trouble};

/// Which key it is; neither file can be taken for the other.
#[derive(Copy, Clone)]
pub(crate) struct Role {
    file: &'static str,
    /// First bytes of what is encrypted; the number changes with its shape.
    magic: &'static [u8],
}

/// The org's own.
pub(crate) const ROOT: Role = Role {
    file: "root.age",
    magic: b"tidegate-root/1\n",
};
/// Of the owner of an outlet, who signs its policy.
pub(crate) const OWNER: Role = Role {
    file: "owner.age",
    magic: b"tidegate-owner/1\n",
};

/// An encrypted root key is about 300 bytes.
const MOST: usize = 8 * 1024;
/// scrypt: 2^18 rounds, 256 MiB, about a second. Fixed, so that a slow machine does not make weak files.
#[cfg(not(test))]
const WORK: u8 = 18;
#[cfg(test)]
const WORK: u8 = 4;
/// More than this somebody else chose, to keep us busy.
const MOST_WORK: u8 = 22;

impl Role {
    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.file)
    }
}

/// An opened root key. No `Debug`, no `Clone`.
pub(crate) struct RootKey {
    pub(crate) org: OrgName,
    pub(crate) number: u32,
    pub(crate) key: SigningKey,
}

impl RootKey {
    /// A new org's first key.
    pub(crate) fn generate(org: OrgName, entropy: &dyn Entropy) -> Self {
        Self {
            org,
            number: 1,
            key: SigningKey::generate(entropy),
        }
    }

    pub(crate) fn path(dir: &Path) -> PathBuf {
        ROOT.path(dir)
    }

    /// Writes it encrypted. Never overwrites.
    pub(crate) fn create(&self, dir: &Path, passphrase: SecretString) -> Result<(), Failure> {
        self.create_as(ROOT, dir, passphrase)
    }

    /// As `create`, for another role.
    pub(crate) fn create_as(
        &self,
        role: Role,
        dir: &Path,
        passphrase: SecretString,
    ) -> Result<(), Failure> {
        let path = role.path(dir);
        let sealed = self
            .seal(role, passphrase)
            .map_err(|error| Trouble::unwritable(&path, &error))?;
        keyfile::create(&path, &sealed).map_err(|error| match error {
            KeyFileError::Exists => Trouble::OrgExists { path },
            error => Trouble::file(&path, error),
        })?;
        Ok(())
    }

    /// Opens the key in `dir`.
    pub(crate) fn open(dir: &Path, passphrase: SecretString) -> Result<Self, Failure> {
        Self::open_as(ROOT, dir, passphrase)
    }

    /// As `open`, for another role.
    pub(crate) fn open_as(
        role: Role,
        dir: &Path,
        passphrase: SecretString,
    ) -> Result<Self, Failure> {
        let path = role.path(dir);
        let sealed = keyfile::read(&path, MOST).map_err(|error| Trouble::file(&path, error))?;
        let content = unseal(&sealed, passphrase).ok_or(Trouble::PassphraseWrong)?;
        Ok(Self::parse(role, &content).ok_or(Trouble::RootKeyDamaged { path })?)
    }

    /// The chain that joins start from: the first root signs itself.
    pub(crate) fn chain(&self) -> Vec<String> {
        let first = RootStatement {
            org: self.org.clone(),
            key: self.key.verify_key(),
            number: self.number,
        };
        vec![first.sign(&self.key)]
    }

    fn seal(&self, role: Role, passphrase: SecretString) -> std::io::Result<Vec<u8>> {
        let mut content = Zeroizing::new(Vec::with_capacity(role.magic.len() + 4 + 32 + 63));
        content.extend_from_slice(role.magic);
        content.extend_from_slice(&self.number.to_be_bytes());
        content.extend_from_slice(&*self.key.seed());
        content.extend_from_slice(self.org.as_str().as_bytes());

        let mut recipient = age::scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(WORK);
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _));
        let mut sealed = Vec::new();
        let mut writer = encryptor
            .map_err(std::io::Error::other)?
            .wrap_output(&mut sealed)?;
        writer.write_all(&content)?;
        writer.finish()?;
        Ok(sealed)
    }

    fn parse(role: Role, content: &[u8]) -> Option<Self> {
        let rest = content.strip_prefix(role.magic)?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (seed, org) = rest.split_first_chunk::<32>()?;
        let org = std::str::from_utf8(org).ok()?.parse().ok()?;
        Some(Self {
            org,
            number: u32::from_be_bytes(*number),
            key: SigningKey::from_seed(seed),
        })
    }
}

fn unseal(sealed: &[u8], passphrase: SecretString) -> Option<Zeroizing<Vec<u8>>> {
    let mut identity = age::scrypt::Identity::new(passphrase);
    identity.set_max_work_factor(MOST_WORK);
    let decryptor = age::Decryptor::new_buffered(sealed).ok()?;
    let reader = decryptor.decrypt(std::iter::once(&identity as _)).ok()?;
    let mut content = Zeroizing::new(Vec::with_capacity(MOST));
    reader.take(MOST as u64).read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::entropy::SystemEntropy;

    use super::*;

    fn passphrase(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn opens_only_with_its_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::generate("acme".parse().unwrap(), &SystemEntropy);
        root.create(dir.path(), passphrase("correct horse"))
            .unwrap();

        let opened = RootKey::open(dir.path(), passphrase("correct horse"))
            .ok()
            .unwrap();
        assert_eq!(opened.key.verify_key(), root.key.verify_key());
        assert_eq!((opened.org.as_str(), opened.number), ("acme", 1));

        let refused = RootKey::open(dir.path(), passphrase("correct house"))
            .err()
            .unwrap();
        assert_eq!(refused, Trouble::PassphraseWrong.into());
    }

    #[test]
    fn a_second_root_never_replaces_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::generate("acme".parse().unwrap(), &SystemEntropy);
        root.create(dir.path(), passphrase("correct horse"))
            .unwrap();

        let again = root
            .create(dir.path(), passphrase("correct horse"))
            .err()
            .unwrap();

        assert_eq!(
            again,
            Trouble::OrgExists {
                path: RootKey::path(dir.path())
            }
            .into()
        );
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::generate("acme".parse().unwrap(), &SystemEntropy);
        root.create(dir.path(), passphrase("correct horse"))
            .unwrap();
        let path = RootKey::path(dir.path());
        let sealed = std::fs::read(&path).unwrap();

        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(
                unseal(&flipped, passphrase("correct horse")).is_none(),
                "byte {at}"
            );
        }
        assert!(!sealed.windows(32).any(|window| window == *root.key.seed()));
    }
}
