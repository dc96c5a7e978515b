//! Looks for secrets in every spelling in which a program might have written them down, in one pass over everything.
//! A search that finds nothing proves nothing by itself: a key that means nothing is planted in each spelling, and must be found.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::trouble::{Outcome, Trouble};

/// A secret, and what of it is looked for.
pub struct Secret {
    /// For people; never the secret itself.
    what: String,
    spellings: Vec<Vec<u8>>,
}

impl Secret {
    /// What is only ever written as it is: a password, a token.
    #[must_use]
    pub fn text(what: &str, text: &str) -> Self {
        let (what, spellings) = (what.to_owned(), vec![text.as_bytes().to_vec()]);
        Self { what, spellings }
    }

    /// Bytes of a key: raw, in hexadecimal digits, and in base64 of both alphabets.
    #[must_use]
    pub fn key(what: &str, key: &[u8]) -> Self {
        let small: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let spellings = vec![
            key.to_vec(),
            small.to_uppercase().into_bytes(),
            small.into_bytes(),
            STANDARD_NO_PAD.encode(key).into_bytes(),
            URL_SAFE_NO_PAD.encode(key).into_bytes(),
        ];
        let what = what.to_owned();
        Self { what, spellings }
    }

    /// Bytes that are nobody's key.
    fn canary() -> Self {
        let key: [u8; 32] = std::array::from_fn(|n| 0xfb_u8.wrapping_mul(n as u8 | 1) ^ 0x5a);
        Self::key("a planted key", &key)
    }
}

/// A secret, and where it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Find {
    pub what: String,
    pub place: String,
}

/// All that is looked for.
pub struct Search {
    secrets: Vec<Secret>,
    /// Bytes with which a spelling begins.
    first: [bool; 256],
}

impl Search {
    /// # Errors
    /// For a secret that is too short to be told from anything else.
    pub fn of(mut secrets: Vec<Secret>) -> Outcome<Self> {
        secrets.push(Secret::canary());
        let mut first = [false; 256];
        for secret in &secrets {
            for spelling in &secret.spellings {
                if spelling.len() < 4 {
                    return Err(Trouble::new(format!("{} is too short", secret.what)));
                }
                first[usize::from(spelling[0])] = true;
            }
        }
        Ok(Self { secrets, first })
    }

    /// What of it is in these bytes.
    #[must_use]
    pub fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, byte) in bytes.iter().enumerate() {
            if self.first[usize::from(*byte)] {
                found.extend(self.beginning(&bytes[at..]));
            }
        }
        found
    }

    fn beginning(&self, bytes: &[u8]) -> impl Iterator<Item = &str> {
        let begins = move |secret: &&Secret| {
            let mut spellings = secret.spellings.iter();
            spellings.any(|spelling| bytes.starts_with(spelling))
        };
        let secrets = self.secrets.iter().filter(begins);
        secrets.map(|secret| secret.what.as_str())
    }

    /// What is in one file, of which somebody else says that it may be gone.
    ///
    /// # Errors
    /// When it cannot be looked at: it may hold something.
    pub fn in_file(&self, file: &Path) -> Outcome<Vec<Find>> {
        let bytes = there(std::fs::read(file))?.unwrap_or_default();
        let place = file.display().to_string();
        let find = |what: &str| Find {
            what: what.to_owned(),
            place: place.clone(),
        };
        Ok(self.in_bytes(&bytes).into_iter().map(find).collect())
    }

    /// What is in the files under a folder, but for one folder by its device and number.
    ///
    /// # Errors
    /// As `in_file`; what is taken away meanwhile is none.
    pub fn under(&self, folder: &Path, without: Option<(u64, u64)>) -> Outcome<Vec<Find>> {
        let mut found = Vec::new();
        for entry in there(std::fs::read_dir(folder))?.into_iter().flatten() {
            let entry = entry?;
            let (path, Some(kind)) = (entry.path(), there(entry.file_type())?) else {
                continue;
            };
            if kind.is_dir() {
                if there(identity(&path))?.is_some_and(|folder| Some(folder) != without) {
                    found.extend(self.under(&path, without)?);
                }
            } else if kind.is_file() {
                found.extend(self.in_file(&path)?);
            }
        }
        Ok(found)
    }

    /// Puts a key that means nothing into a folder, in each spelling; they go with what is returned.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn plant(&self, folder: &Path) -> Outcome<Planted> {
        let mut planted = Planted(Vec::new());
        for (n, spelling) in Secret::canary().spellings.iter().enumerate() {
            let file = folder.join(format!(".canary-{n}"));
            std::fs::write(&file, [b"before ", &spelling[..], b" behind\n"].concat())?;
            planted.0.push(file);
        }
        Ok(planted)
    }
}

/// Files that a search has to find.
pub struct Planted(Vec<PathBuf>);

impl Planted {
    /// What was found beside them.
    ///
    /// # Errors
    /// When one of them was overlooked, or the planted key is anywhere else.
    pub fn beside(&self, found: Vec<Find>) -> Outcome<Vec<Find>> {
        let what = Secret::canary().what;
        let (canaries, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|find| find.what == what);
        let seen: BTreeSet<_> = canaries.into_iter().map(|find| find.place).collect();
        let planted = self.0.iter().map(|file| file.display().to_string());
        match seen == planted.collect() {
            true => Ok(others),
            false => Err(Trouble::new(format!("{what} was seen in {seen:?}"))),
        }
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Which folder it is, whatever it is called.
///
/// # Errors
/// When it is not there.
pub fn identity(folder: &Path) -> std::io::Result<(u64, u64)> {
    let facts = std::fs::metadata(folder)?;
    Ok((facts.dev(), facts.ino()))
}

/// Programs take their files away while we look.
///
/// # Errors
/// Whatever else went wrong.
pub fn there<T>(looked: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match looked {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        looked => looked.map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_is_found_in_a_folder_below_and_nothing_that_is_not_there() {
        let dir = std::env::temp_dir().join(format!("tg-search-{}", std::process::id()));
        let below = dir.join("below");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("other"), [0xfa; 40]).unwrap();
        std::fs::write(below.join("word"), "so hush-hush").unwrap();
        let secrets = vec![
            Secret::key("a key", &[0xfb; 32]),
            Secret::text("a word", "hush-hush"),
        ];
        let search = Search::of(secrets).unwrap();

        let planted = search.plant(&below).unwrap();
        let found = search.under(&dir, None).unwrap();
        assert_eq!(found.len(), 6, "five spellings, and the word");
        let others = planted.beside(found).unwrap();
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].what, "a word");
        assert!(planted.beside(others).is_err(), "one that sees no canary");
        let here = identity(&below).unwrap();
        assert_eq!(search.under(&dir, Some(here)).unwrap(), []);
        drop(planted);
        assert_eq!(search.under(&dir, None).unwrap().len(), 1);

        std::fs::remove_dir_all(dir).unwrap();
    }
}
