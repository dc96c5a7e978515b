//! Where memory comes from: an allocator that gives back what a crowd took a second after the crowd has gone.
//! The C library's keeps it for the next crowd in a heap for each thread, for ever if none comes: of 63 MB in the heaps of an
//! outlet that a crowd had left, 60 were free.
//! How soon is settled in `.cargo/config.toml`, because it is built in.

#[cfg(target_os = "linux")]
#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;
    use std::sync::{Arc, Barrier};
    use std::thread;
    use std::time::Duration;

    const THREADS: usize = 4;
    /// Pages that may stay of the 40,000 that were taken.
    const STAY: usize = 5_000;

    /// Pages of ours in memory.
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// In a process of its own: other tests of this binary take and give back 256 MiB at a time.
    #[test]
    fn what_a_crowd_took_is_given_back() {
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact"])
            .arg("memory::tests::a_crowd_comes_and_goes")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }

    /// Small pieces with one kept in between now and then, and the threads stay: their heaps have no reason to go.
    #[test]
    #[ignore = "played by the test above, alone"]
    fn a_crowd_comes_and_goes() {
        let before = resident();
        let (full, gone, end) = (meeting(), meeting(), meeting());
        let takes = || {
            let mut pieces: Vec<_> = (0..40_000).map(|n| Some(vec![n as u8; 1000])).collect();
            full.wait();
            for (n, piece) in pieces.iter_mut().enumerate() {
                if n % 4_000 != 0 {
                    *piece = None;
                }
            }
            gone.wait();
            end.wait();
            pieces.iter().flatten().count()
        };

        thread::scope(|scope| {
            let crowd: Vec<_> = (0..THREADS).map(|_| scope.spawn(takes)).collect();
            full.wait();
            assert!(resident() > before + 30_000);
            gone.wait();
            let given_back = (0..200).any(|_| {
                thread::sleep(Duration::from_millis(100));
                resident() < before + STAY
            });
            let left = resident();
            end.wait();
            assert!(given_back, "{before} pages, then {left}");
            for one in crowd {
                assert_eq!(one.join().unwrap(), 10);
            }
        });
    }

    /// For the threads and whoever watches them.
    fn meeting() -> Arc<Barrier> {
        Arc::new(Barrier::new(THREADS + 1))
    }
}
