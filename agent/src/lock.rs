//! One agent per user: two would fight over one refresh token and one set of ports.
//! The lock is on the directory itself and ends with the process, so there is no stale file to clean up after a crash.

use std::fs::File;
use std::path::Path;

use tidegate_link::keyfile;
use tidegate_proto::problem::{Code, Problem};

use crate::platform::folder::lockable;
use crate::problems;

/// Held for as long as the agent lives.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] File); // held, never read

impl Lock {
    /// Locks a directory that is known to be private.
    pub(crate) fn take(dir: &Path) -> Result<Self, Problem> {
        let unusable = || Problem::new(Code::DataDirUnusable).path(&dir.display().to_string());
        let file = lockable(dir).map_err(|_| unusable())?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Problem::new(Code::AlreadyRunning)),
            Err(std::fs::TryLockError::Error(_)) => Err(unusable()),
        }
    }

    /// Makes sure that a directory is this user's alone, and locks it.
    pub(crate) fn take_private(dir: &Path) -> Result<Self, Problem> {
        keyfile::private_directory(dir).map_err(|error| {
            Problem::new(problems::of_file(error)).path(&dir.display().to_string())
        })?;
        Self::take(dir)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_folder_that_cannot_be_made_is_not_called_open_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let in_its_place = dir.path().join("file");
        std::fs::write(&in_its_place, "").unwrap();
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();

        let refused = |path: &Path| Lock::take_private(path).unwrap_err().code;
        assert_eq!(refused(&in_its_place), Code::DataDirUnusable);
        assert_eq!(refused(Path::new("/proc/none")), Code::DataDirUnusable);
        assert_eq!(refused(&open), Code::KeyFileOpen);
    }

    #[test]
    fn the_second_agent_is_told_that_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("run");
        let first = Lock::take_private(&private).unwrap();

        assert_eq!(
            Lock::take_private(&private).unwrap_err().code,
            Code::AlreadyRunning
        );

        drop(first);
        Lock::take_private(&private).unwrap();
        assert_eq!(std::fs::read_dir(&private).unwrap().count(), 0);
    }
}
