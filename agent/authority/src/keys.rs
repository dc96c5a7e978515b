//! The authority's own keys, in one file for their owner only: what signs, what answers, what hides names.
//! With all three in hand a thief still admits nobody (PROTOCOL section 1): outlets ask the provider and the org root too.

use std::path::Path;

use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::{
    entropy::Entropy,
    identity::{NoisePublic, NoiseSecret, SigningKey, VerifyKey},
};
use zeroize::Zeroizing;

use crate::veil::Veil;

const FILE: &str = "authority.keys";
/// First bytes of the file; the number changes with its shape.
const MAGIC: &[u8] = b"tidegate-authority-keys/1\n";
const LENGTH: usize = MAGIC.len() + 3 * 32;

/// Why there are no keys.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeysError {
    #[error("authority.keys in the data directory cannot be used: {0}")]
    File(#[from] KeyFileError),
    #[error("the key file does not hold an authority's keys")]
    Content,
}

/// What identifies an authority. No `Debug`, no `Clone`.
pub struct AuthorityKeys {
    pub(crate) signing: SigningKey,
    pub(crate) noise: NoiseSecret,
    pub(crate) veil: Veil,
}

/// The public halves, which the org root signs into `tg-authority`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct AuthorityPublic {
    pub key: VerifyKey,
    pub noise: NoisePublic,
}

impl AuthorityKeys {
    /// Reads the keys in `data`, or makes them there if there are none.
    ///
    /// # Errors
    /// When the directory or the file is open to others, foreign, or not what it should be.
    pub fn open_or_make(data: &Path, entropy: &dyn Entropy) -> Result<Self, KeysError> {
        keyfile::private_directory(data)?;
        let path = data.join(FILE);
        match keyfile::read(&path, LENGTH) {
            Err(KeyFileError::Missing) => {}
            other => return Self::parse(&other?),
        }
        let mut content = Zeroizing::new([0; LENGTH]);
        content[..MAGIC.len()].copy_from_slice(MAGIC);
        entropy.fill(&mut content[MAGIC.len()..]);
        keyfile::create(&path, &*content)?;
        Self::parse(&*content)
    }

    #[must_use]
    pub fn public(&self) -> AuthorityPublic {
        AuthorityPublic {
            key: self.signing.verify_key(),
            noise: self.noise.public(),
        }
    }

    fn parse(content: &[u8]) -> Result<Self, KeysError> {
        let secrets = content.strip_prefix(MAGIC).ok_or(KeysError::Content)?;
        let (parts, rest) = secrets.as_chunks::<32>();
        match (parts, rest) {
            ([signing, noise, veil], []) => Ok(Self {
                signing: SigningKey::from_seed(signing),
                noise: NoiseSecret::from_bytes(noise),
                veil: Veil::new(veil),
            }),
            _ => Err(KeysError::Content),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::entropy::SystemEntropy;

    use super::*;

    #[test]
    fn keys_are_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("hub");

        let made = AuthorityKeys::open_or_make(&data, &SystemEntropy)
            .unwrap()
            .public();

        assert_eq!(
            AuthorityKeys::open_or_make(&data, &SystemEntropy)
                .unwrap()
                .public(),
            made
        );
    }

    #[test]
    fn a_damaged_file_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("hub");
        AuthorityKeys::open_or_make(&data, &SystemEntropy).unwrap();
        let path = data.join(FILE);

        keyfile::replace(&path, b"tidegate-authority-keys/1\nshort").unwrap();

        let refused = AuthorityKeys::open_or_make(&data, &SystemEntropy).map(|_| ());
        assert_eq!(refused, Err(KeysError::Content));
        assert!(path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("hub");
        AuthorityKeys::open_or_make(&data, &SystemEntropy).unwrap();
        std::fs::set_permissions(data.join(FILE), std::fs::Permissions::from_mode(0o644)).unwrap();

        let refused = AuthorityKeys::open_or_make(&data, &SystemEntropy).map(|_| ());
        assert_eq!(refused, Err(KeysError::File(KeyFileError::OpenToOthers)));
    }
}
