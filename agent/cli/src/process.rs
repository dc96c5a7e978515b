//! What a process of ours asks of the operating system for itself.
//! Nothing here may fail a start: a container that forbids it has its own limits.

/// Memory that holds keys is never written to disk as a core dump.
pub(crate) fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        );
    }
}

/// A server may hold as many connections as the system allows it.
pub(crate) fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let now = getrlimit(Resource::Nofile);
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: now.maximum,
                maximum: now.maximum,
            },
        );
    }
}

/// Gives back what a crowd made the allocator take. glibc keeps freed memory for the next crowd, for ever if none comes.
pub(crate) fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it only returns pages that hold nothing; it takes the allocator's own locks, and no pointer of ours.
        #[allow(unsafe_code)]
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// Pages of ours in memory.
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_a_crowd_took_is_given_back() {
        // Small pieces with one kept in between now and then: what frees them does not give pages back by itself.
        let mut pieces: Vec<_> = (0..40_000).map(|n| Some(vec![n as u8; 1000])).collect();
        let full = resident();
        for (n, piece) in pieces.iter_mut().enumerate() {
            if n % 400 != 0 {
                *piece = None;
            }
        }

        super::give_memory_back();

        let after = resident();
        assert!(after + 5_000 < full, "{full} pages, then {after}");
        assert_eq!(pieces.iter().flatten().count(), 100);
    }
}
