//! Files that people write and programs obey: settings and rules. Read only where no stranger can have written them.
//! Every mistake in one is told at once, each with its key, the reason and what to write instead; unknown keys are mistakes.
//! Unlike a key, they may be readable by everybody, belong to root, and stand behind links: mounts are made of links.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

mod load;
mod mistake;
mod reader;

#[cfg(not(unix))]
#[path = "settings_file/windows.rs"]
mod system;
#[cfg(unix)]
#[path = "settings_file/unix.rs"]
mod system;
use system::{no_strangers, open};

pub use load::{MAX_FILE, load, parse};
pub use mistake::{ConfigMistake, Fix, Mistakes};
pub use reader::Reader;

/// Why such a file was not read.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsFileError {
    #[error("it does not exist")]
    Missing,
    #[error("it is not a file")]
    NotAFile,
    #[error("every user can change it")]
    OpenToAll,
    #[error("it belongs to another user")]
    ForeignOwner,
    #[error("it is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it cannot be read ({0})")]
    Io(io::ErrorKind),
}

impl SettingsFileError {
    /// What to do, as a sentence without its full stop.
    #[must_use]
    pub fn fix(self) -> &'static str {
        match self {
            Self::Missing => "Give the path of a file that is there, or make it",
            Self::NotAFile => "Give the path of a TOML file: a folder, pipe or device is none",
            Self::OpenToAll => "Take that right away: chmod o-w on it",
            Self::ForeignOwner => "Let root or the user who runs this own it: chown it",
            Self::TooLarge(_) => {
                "Give the path of the right file, or take out of it what is no setting"
            }
            Self::NotText => "Save it as UTF-8 text, or give the path of the right file",
            Self::Io(io::ErrorKind::PermissionDenied) => {
                "Let the user who runs this read the file, and enter the folders above it"
            }
            Self::Io(_) => "Look at the file's folder and at the disk, then run this again",
        }
    }
}

/// The text at `path`, of at most [`MAX_FILE`] bytes. The checks are made on the opened file, never on its name.
///
/// # Errors
/// When it is missing, no regular file, another user's (root may own it, and root may read everybody's), writable
/// for everybody, larger than that, or no text.
pub fn read(path: &Path) -> Result<String, SettingsFileError> {
    let file = open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SettingsFileError::Missing,
        kind => SettingsFileError::Io(kind),
    })?;
    let facts = file
        .metadata()
        .map_err(|e| SettingsFileError::Io(e.kind()))?;
    if !facts.is_file() {
        return Err(SettingsFileError::NotAFile);
    }
    no_strangers(&facts)?;
    text_of(file)
}

fn text_of(file: File) -> Result<String, SettingsFileError> {
    let mut text = Vec::new();
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|e| SettingsFileError::Io(e.kind()))?;
    if text.len() > MAX_FILE {
        return Err(SettingsFileError::TooLarge(MAX_FILE));
    }
    String::from_utf8(text).map_err(|_| SettingsFileError::NotText)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn reads_settings_that_only_their_owner_can_change_behind_links_too() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("settings"), dir.path().join("link"));
        std::fs::write(&path, "a = 1").unwrap();
        symlink(&path, &link).unwrap();

        for mode in [0o600, 0o644, 0o664] {
            chmod(&path, mode);
            assert_eq!(read(&link), Ok("a = 1".to_owned()), "{mode:o}");
        }
    }

    #[test]
    fn refuses_settings_that_every_user_can_change() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("settings"), dir.path().join("link"));
        std::fs::write(&path, "a = 1").unwrap();
        symlink(&path, &link).unwrap();

        for mode in [0o666, 0o602, 0o777] {
            chmod(&path, mode);
            assert_eq!(read(&path), Err(SettingsFileError::OpenToAll));
            assert_eq!(read(&link), Err(SettingsFileError::OpenToAll));
        }
    }

    #[test]
    fn refuses_settings_that_are_a_pipe_a_device_a_directory_endless_or_no_text() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let (huge, binary) = (dir.path().join("huge"), dir.path().join("binary"));
        std::fs::write(&huge, vec![b'#'; MAX_FILE + 1]).unwrap();
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();

        for path in [&pipe, Path::new("/dev/zero"), dir.path()] {
            assert_eq!(read(path), Err(SettingsFileError::NotAFile));
        }
        assert_eq!(read(&huge), Err(SettingsFileError::TooLarge(MAX_FILE)));
        assert_eq!(read(&binary), Err(SettingsFileError::NotText));
        let missing = dir.path().join("missing");
        assert_eq!(read(&missing), Err(SettingsFileError::Missing));
    }
}
