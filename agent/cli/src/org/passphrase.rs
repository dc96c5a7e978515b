//! The passphrase of the root key: from a file that only its owner can read, or typed at the terminal.
//! Never from an argument or the environment: both can be read by other programs.

use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use tidegate_link::keyfile;

use crate::{failure::Failure, terminal, trouble::Trouble};

/// Longest passphrase, in bytes.
const MOST: usize = 1024;
/// Shortest one for a new key, in characters.
const LEAST: usize = 8;

/// Where to take it from.
#[derive(clap::Args)]
pub(crate) struct PassphraseArgs {
    /// File that holds the key's passphrase; without it you are asked.
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase of a key that exists.
    pub(crate) fn take(&self) -> Result<SecretString, Failure> {
        match &self.passphrase_file {
            Some(path) => of_file(path),
            None => ask("Passphrase of the key: "),
        }
    }

    /// The passphrase for a new key; whoever types it types it twice.
    pub(crate) fn choose(&self) -> Result<SecretString, Failure> {
        let chosen = match &self.passphrase_file {
            Some(path) => of_file(path)?,
            None => {
                let first = ask("New passphrase for the key: ")?;
                let again = ask("Once more: ")?;
                if first.expose_secret() != again.expose_secret() {
                    return Err(Trouble::PassphrasesDiffer.into());
                }
                first
            }
        };
        if chosen.expose_secret().chars().count() < LEAST {
            return Err(Trouble::PassphraseShort { least: LEAST }.into());
        }
        Ok(chosen)
    }
}

fn of_file(path: &Path) -> Result<SecretString, Failure> {
    let bytes = keyfile::read(path, MOST).map_err(|error| Trouble::file(path, error))?;
    line(&bytes).ok_or_else(|| Trouble::PassphraseWrong.into())
}

/// The first line: editors add a line feed that nobody meant.
fn line(bytes: &[u8]) -> Option<SecretString> {
    let text = std::str::from_utf8(bytes).ok()?;
    let first = text.split(['\r', '\n']).next()?;
    Some(SecretString::from(first.to_owned()))
}

fn ask(question: &str) -> Result<SecretString, Failure> {
    let typed = terminal::ask(question, MOST).ok_or(Trouble::NoTerminal)?;
    line(&typed).ok_or_else(|| Trouble::PassphraseWrong.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_feed_at_the_end_is_nobodys_passphrase() {
        for text in [
            "correct horse",
            "correct horse\n",
            "correct horse\r\n",
            "correct horse\nsecond line",
        ] {
            assert_eq!(
                line(text.as_bytes()).unwrap().expose_secret(),
                "correct horse"
            );
        }
        assert_eq!(
            line(" spaces count \n".as_bytes()).unwrap().expose_secret(),
            " spaces count "
        );
        assert!(line(b"\xff").is_none());
    }
}
