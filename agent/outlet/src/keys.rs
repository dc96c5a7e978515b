//! The outlet's own keys: who it is (Ed25519) and how it is spoken to (X25519), each in a 0600 file of the data directory.
//! They are made once and never overwritten: the org root signs their public halves into the catalogue.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::path::{Path, PathBuf};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::entropy::Entropy;
use tidegate_proto::identity::{NoiseSecret, SigningKey};
use zeroize::Zeroizing;

const IDENTITY: &str = "identity.key";
const NOISE: &str = "noise.key";
const LINK: &str = "link.key";
/// 32 bytes as text, with the newline an editor may add.
const MAX: usize = 64;

/// Both secrets. No `Debug`, no `Clone`.
pub struct OutletKeys {
    pub identity: SigningKey,
    pub noise: NoiseSecret,
}

/// Which key file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("the key file {}: {why}", path.display())]
    File { path: PathBuf, why: KeyFileError },
    #[error("the key file {} does not hold a key", .0.display())]
    Content(PathBuf),
}

impl OutletKeys {
    /// The keys in `data`, which must be there.
    ///
    /// # Errors
    /// When a file is missing, open to others, or does not hold a key.
    pub fn load(data: &Path) -> Result<Self, KeysError> {
        let identity = read(&data.join(IDENTITY))?;
        let noise = read(&data.join(NOISE))?;
        Ok(Self {
            identity: SigningKey::from_seed(&identity),
            noise: NoiseSecret::from_bytes(&noise),
        })
    }

    /// The keys in `data`; those that are not there yet are made, and the directory too.
    ///
    /// # Errors
    /// As `load`, and when the directory is open to others or cannot be written.
    pub fn load_or_make(data: &Path, entropy: &dyn Entropy) -> Result<Self, KeysError> {
        keyfile::private_directory(data).map_err(|why| KeysError::File {
            path: data.to_owned(),
            why,
        })?;
        make_if_missing(&data.join(IDENTITY), &|| {
            SigningKey::generate(entropy).seed()
        })?;
        make_if_missing(&data.join(NOISE), &|| {
            NoiseSecret::generate(entropy).to_bytes()
        })?;
        Self::load(data)
    }
}

/// The key of our links to relays, made if it is not there. It is kept because the pass is bound to it: an outlet that
/// starts while the authority is away has no other pass.
///
/// # Errors
/// As `OutletKeys::load_or_make`.
pub(crate) fn link_key(data: &Path, entropy: &dyn Entropy) -> Result<NoiseSecret, KeysError> {
    let path = data.join(LINK);
    make_if_missing(&path, &|| NoiseSecret::generate(entropy).to_bytes())?;
    Ok(NoiseSecret::from_bytes(&*read(&path)?))
}

fn make_if_missing(path: &Path, key: &dyn Fn() -> Zeroizing<[u8; 32]>) -> Result<(), KeysError> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*key()));
    match keyfile::create(path, text.as_bytes()) {
        // Somebody else made it in the meantime: theirs is as good.
        Ok(()) | Err(KeyFileError::Exists) => Ok(()),
        Err(why) => Err(KeysError::File {
            path: path.to_owned(),
            why,
        }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let text = keyfile::read(path, MAX).map_err(|why| KeysError::File {
        path: path.to_owned(),
        why,
    })?;
    let mut key = Zeroizing::new([0; 32]);
    match URL_SAFE_NO_PAD.decode_slice(text.trim_ascii_end(), &mut *key) {
        Ok(32) => Ok(key),
        _ => Err(KeysError::Content(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tidegate_proto::entropy::SystemEntropy;

    #[test]
    fn makes_its_keys_once_and_for_itself_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");

        let first = OutletKeys::load_or_make(&data, &SystemEntropy)
            .ok()
            .unwrap();
        let again = OutletKeys::load_or_make(&data, &SystemEntropy)
            .ok()
            .unwrap();

        assert_eq!(first.identity.verify_key(), again.identity.verify_key());
        assert_eq!(first.noise.public(), again.noise.public());
        for name in [IDENTITY, NOISE] {
            assert_eq!(
                std::fs::metadata(data.join(name))
                    .unwrap()
                    .permissions()
                    .mode()
                    & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn refuses_a_key_that_others_can_read_or_that_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        OutletKeys::load_or_make(&data, &SystemEntropy)
            .ok()
            .unwrap();
        let path = data.join(NOISE);

        std::fs::write(&path, "short").unwrap();
        assert_eq!(
            OutletKeys::load(&data).err(),
            Some(KeysError::Content(path.clone()))
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let why = KeyFileError::OpenToOthers;
        assert_eq!(
            OutletKeys::load(&data).err(),
            Some(KeysError::File { path, why })
        );
    }
}
