//! Owner and mode, asked of the opened file.
//! Root may read everybody's: it is told which file to take, and by whom is its own affair.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::SettingsFileError;

pub(super) fn open(path: &Path) -> io::Result<File> {
    // NONBLOCK: a pipe under this name must not hold us.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

pub(super) fn no_strangers(facts: &Metadata) -> Result<(), SettingsFileError> {
    let owners = Owners {
        file: facts.uid(),
        us: rustix::process::geteuid().as_raw(),
    };
    owners.judge(facts.mode())
}

/// Whose the file is, and who reads it.
struct Owners {
    file: u32,
    us: u32,
}

impl Owners {
    fn judge(&self, mode: u32) -> Result<(), SettingsFileError> {
        if self.us != 0 && self.file != 0 && self.file != self.us {
            return Err(SettingsFileError::ForeignOwner);
        }
        if mode & 0o002 != 0 {
            return Err(SettingsFileError::OpenToAll);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn refuses_settings_of_another_user() {
        // Root may read everybody's, so the rule is asked as the user it is for.
        let facts = std::fs::metadata("/etc/hostname").unwrap();
        let theirs = Owners {
            file: 1001,
            us: 1000,
        };
        assert_eq!(theirs.judge(0o644), Err(SettingsFileError::ForeignOwner));
        for file in [0, 1000] {
            assert_eq!(Owners { file, us: 1000 }.judge(0o644), Ok(()));
        }
        let root = Owners { file: 1001, us: 0 };
        assert_eq!(root.judge(0o644), Ok(()));
        assert_eq!(no_strangers(&facts), Ok(()), "root's own serves everybody");
    }
}
