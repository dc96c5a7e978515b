//! A file of a server's own that outlives its restarts: JSON, for this user only, whole or not there at all.
//! A newcomer would begin anew where it cannot be understood: then who was shut out would be let in again.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::keyfile::{self, KeyFileError};

/// Why what is kept is not known, or was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    #[error("the file {}: {why}", path.display())]
    File { path: PathBuf, why: KeyFileError },
    #[error("the file {} cannot be understood; it may say who was revoked, so bring back a good copy of it", .0.display())]
    Content(PathBuf),
}

/// What is kept at `path`, at most `most` bytes; nothing yet is the default. Blocks.
///
/// # Errors
/// When there is a file and it cannot be read or understood.
pub fn load<T: DeserializeOwned + Default>(path: &Path, most: usize) -> Result<T, KeptError> {
    let failed = |why| KeptError::File {
        path: path.to_owned(),
        why,
    };
    match keyfile::read(path, most) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|_| KeptError::Content(path.to_owned()))
        }
        Err(KeyFileError::Missing) => Ok(T::default()),
        Err(why) => Err(failed(why)),
    }
}

/// Durable, whole, and in the place of the old one. Blocks.
///
/// # Errors
/// When it cannot be written.
pub fn store(path: &Path, what: &impl Serialize) -> Result<(), KeptError> {
    let bytes = serde_json::to_vec(what).map_err(|_| KeptError::Content(path.to_owned()))?;
    keyfile::replace(path, &bytes).map_err(|why| KeptError::File {
        path: path.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_damage_is_never_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known.json");
        assert_eq!(load(&path, 64), Ok(Vec::<u8>::new()));

        store(&path, &vec![1_u8, 2]).unwrap();

        assert_eq!(load(&path, 64), Ok(vec![1_u8, 2]));
        store(&path, &"x").unwrap();
        assert_eq!(
            load::<Vec<u8>>(&path, 64),
            Err(KeptError::Content(path.clone()))
        );
        let larger = load::<Vec<u8>>(&path, 1);
        assert!(matches!(larger, Err(KeptError::File { .. })), "{larger:?}");
    }
}
