//! How many files and connections this process may have open.
//! A newcomer would think 1,024 are enough: each program inside takes three, and the desktop's own take a few hundred.

/// Raises the limit to what the system lets this user have. Gives what it is now, where there is such a limit.
#[cfg(unix)]
pub(crate) fn raise_open_files() -> Option<u64> {
    // A system that refuses has limits of its own; then it stays as it was.
    rlimit::increase_nofile_limit(u64::MAX).ok()
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_open_files() -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rlimit::Resource;

    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (_, hard) = Resource::NOFILE.get().unwrap();

        let now = raise_open_files().unwrap();

        let (soft, still) = Resource::NOFILE.get().unwrap();
        assert_eq!((now, still), (soft, hard));
        assert!(soft == hard || cfg!(target_os = "macos"));
    }
}
