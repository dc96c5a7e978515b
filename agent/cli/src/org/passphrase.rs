//! The passphrase of the root key: from a file that only its owner can read, or typed at the terminal.
//! Never from an argument or the environment: both can be read by other programs.

use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use tidegate_link::keyfile;
use zeroize::Zeroizing;

use crate::{failure::Failure, trouble::Trouble};

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

#[cfg(unix)]
fn ask(question: &str) -> Result<SecretString, Failure> {
    use std::fs::OpenOptions;
    use std::io::{Read, Write};

    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| Trouble::NoTerminal)?;
    let quiet = Quiet::on(&terminal).ok_or(Trouble::NoTerminal)?;
    let asked = terminal
        .write_all(question.as_bytes())
        .and_then(|()| terminal.flush());
    asked.map_err(|_| Trouble::NoTerminal)?;

    // A terminal gives a line at a time.
    let mut typed = Zeroizing::new(vec![0; MOST]);
    let length = terminal.read(&mut typed).map_err(|_| Trouble::NoTerminal)?;
    drop(quiet);
    let _ = terminal.write_all(b"\n"); // only for the eye
    line(&typed[..length]).ok_or_else(|| Trouble::PassphraseWrong.into())
}

#[cfg(not(unix))]
fn ask(_: &str) -> Result<SecretString, Failure> {
    Err(Trouble::NoTerminal.into())
}

/// A terminal that does not show what is typed, until this is dropped.
#[cfg(unix)]
struct Quiet {
    terminal: std::fs::File,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Quiet {
    fn on(terminal: &std::fs::File) -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        let before = tcgetattr(terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet).ok()?;
        Some(Self {
            terminal: terminal.try_clone().ok()?,
            before,
        })
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before); // the terminal may be gone
    }
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
