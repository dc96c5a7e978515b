//! One agent per user: two would fight over one refresh token and one set of ports.
//! The lock is on the directory itself and ends with the process, so there is no stale file to clean up after a crash.

use std::fs::File;
use std::path::Path;

use tidegate_link::keyfile;
use tidegate_proto::problem::{Code, Problem};

use crate::platform::folder::lockable;

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
        keyfile::private_directory(dir)
            .map_err(|_| Problem::new(Code::KeyFileOpen).path(&dir.display().to_string()))?;
        Self::take(dir)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
