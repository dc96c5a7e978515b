//! Files that hold secrets: made for their owner only, and refused when anybody else could have read or planted them.
//! The checks are made on the opened file, never on its name: what was checked is what is read.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix::{open_for_reading, ours_alone, owner_only, owner_only_directory, sync_directory};

#[cfg(not(unix))]
mod windows;
#[cfg(not(unix))]
use windows::{open_for_reading, ours_alone, owner_only, owner_only_directory, sync_directory};

/// Why a secret file was not read or not made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the file does not exist")]
    Missing,
    #[error("the file exists already")]
    Exists,
    #[error("the name is a symbolic link")]
    Symlink,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it is not a directory")]
    NotADirectory,
    #[error("other users can read or change it")]
    OpenToOthers,
    #[error("it belongs to another user")]
    ForeignOwner,
    #[error("it is larger than a secret may be")]
    TooLarge,
    #[error("it cannot be read or written: {0:?}")]
    Io(io::ErrorKind),
}

impl KeyFileError {
    /// What a person can do about it.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Missing => "make the file, or correct the path",
            Self::Exists => "move the old file away first; it is never overwritten",
            Self::Symlink => "name the real file, not a link to it",
            Self::NotAFile => "name a regular file",
            Self::NotADirectory => "name a directory",
            Self::OpenToOthers => "take the rights of others away: chmod go= on it",
            Self::ForeignOwner => {
                "run this as the user whose it is; only if it should be yours, chown it"
            }
            Self::TooLarge => "name the right file: this one is too large",
            Self::Io(_) => "check that the path exists and the disk has room",
        }
    }
}

/// Reads a secret of at most `limit` bytes.
///
/// # Errors
/// When the file is missing, a link, a pipe, somebody else's, open to others, or larger than `limit`.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let file = open_for_reading(path)?;
    let facts = file.metadata().map_err(|e| KeyFileError::Io(e.kind()))?;
    if !facts.is_file() {
        return Err(KeyFileError::NotAFile);
    }
    ours_alone(&facts)?;

    // Allocated at once: a growing buffer would leave copies of the secret behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64 + 1)
        .read_to_end(&mut secret)
        .map_err(|e| KeyFileError::Io(e.kind()))?;
    if secret.len() > limit {
        return Err(KeyFileError::TooLarge);
    }
    Ok(secret)
}

/// Makes a new file with mode 0600 and writes `secret` durably. Never overwrites.
///
/// # Errors
/// [`KeyFileError::Exists`] when something of that name is there already.
pub fn create(path: &Path, secret: &[u8]) -> Result<(), KeyFileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let mut file = options.open(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists,
        kind => KeyFileError::Io(kind),
    })?;

    let written = file.write_all(secret).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = std::fs::remove_file(path); // half a key is worse than none
        return Err(KeyFileError::Io(error.kind()));
    }
    sync_directory(path)
}

/// Puts `content` in the place of the file, with mode 0600: after a crash either the old or the new one is there, whole.
///
/// # Errors
/// When the directory cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), KeyFileError> {
    let beside = beside(path);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(KeyFileError::Io(error.kind()));
        }
        Ok(()) | Err(_) => {}
    }
    create(&beside, content)?;
    std::fs::rename(&beside, path).map_err(|e| KeyFileError::Io(e.kind()))?;
    sync_directory(path)
}

/// Makes the directory with mode 0700 if it is not there, and refuses one that others can enter.
///
/// # Errors
/// When it is no directory, belongs to another user, or is open to others.
pub fn private_directory(path: &Path) -> Result<(), KeyFileError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    owner_only_directory(&mut builder);
    builder.create(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::NotADirectory,
        kind => KeyFileError::Io(kind),
    })?;

    is_private_directory(path)
}

/// As [`private_directory`], for looking only: nothing is made.
///
/// # Errors
/// The same, and when there is none.
pub fn is_private_directory(path: &Path) -> Result<(), KeyFileError> {
    let facts = std::fs::metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing,
        kind => KeyFileError::Io(kind),
    })?;
    if !facts.is_dir() {
        return Err(KeyFileError::NotADirectory);
    }
    ours_alone(&facts)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn gives_back_what_it_made_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");

        create(&path, b"secret").unwrap();

        assert_eq!(mode(&path), 0o600);
        assert_eq!(read(&path, 64).unwrap().as_slice(), b"secret");
    }

    #[test]
    fn never_overwrites_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"first").unwrap();

        assert_eq!(create(&path, b"second"), Err(KeyFileError::Exists));

        assert_eq!(read(&path, 64).unwrap().as_slice(), b"first");
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"secret").unwrap();

        for open in [0o640, 0o604, 0o620, 0o602, 0o666, 0o610] {
            chmod(&path, open);
            assert_eq!(
                read(&path, 64).map(|_| ()),
                Err(KeyFileError::OpenToOthers),
                "mode {open:o}"
            );
        }
    }

    #[test]
    fn refuses_links_pipes_directories_and_devices() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        create(&real, b"secret").unwrap();
        let link = dir.path().join("link");
        symlink(&real, &link).unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();

        assert_eq!(read(&link, 64).map(|_| ()), Err(KeyFileError::Symlink));
        assert_eq!(read(&pipe, 64).map(|_| ()), Err(KeyFileError::NotAFile));
        assert_eq!(
            read(dir.path(), 64).map(|_| ()),
            Err(KeyFileError::NotAFile)
        );
        assert_eq!(
            read(Path::new("/dev/null"), 64).map(|_| ()),
            Err(KeyFileError::NotAFile)
        );
        assert_eq!(
            read(&dir.path().join("none"), 64).map(|_| ()),
            Err(KeyFileError::Missing)
        );
    }

    #[test]
    fn refuses_a_file_that_is_too_large() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, &[7; 65]).unwrap();

        assert_eq!(read(&path, 64).map(|_| ()), Err(KeyFileError::TooLarge));
        assert_eq!(read(&path, 65).unwrap().len(), 65);
    }

    #[test]
    fn refuses_a_file_of_another_user() {
        // The test cannot give a file away unless it runs as root; a file of root's serves everybody else.
        let theirs = Path::new("/etc/hostname");
        if !rustix::process::geteuid().is_root() {
            assert_eq!(
                read(theirs, 4096).map(|_| ()),
                Err(KeyFileError::ForeignOwner)
            );
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"secret").unwrap();
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();

        assert_eq!(read(&path, 64).map(|_| ()), Err(KeyFileError::ForeignOwner));
    }

    #[test]
    fn replaces_the_whole_content_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        replace(&path, b"one").unwrap();
        std::fs::write(dir.path().join("state.new"), b"left by a crash").unwrap();

        replace(&path, b"two").unwrap();

        assert_eq!(read(&path, 64).unwrap().as_slice(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn makes_a_directory_for_the_owner_only_and_refuses_an_open_one() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");

        private_directory(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        private_directory(&data).unwrap();

        chmod(&data, 0o755);
        assert_eq!(private_directory(&data), Err(KeyFileError::OpenToOthers));
    }
}
