//! The café's line: carries packets between two TUN devices with delay, loss, a rate and a finite queue.
//! The kernel here has no netem. Loss comes from a seeded generator, so a run that failed can be played again.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Each value holds for one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    pub delay: Duration,
    /// Chance that a packet is lost, 0 to 1.
    pub loss: f64,
    /// Bits per second.
    pub rate: u64,
    /// Longest wait in the queue before the rate; what would wait longer is dropped.
    pub queue: Duration,
    /// Nothing gets through.
    pub cut: bool,
}

impl Quality {
    /// 40 ms there and back, on a line that a café would be proud of.
    #[must_use]
    pub fn cafe() -> Self {
        Self {
            delay: Duration::from_millis(20),
            loss: 0.0,
            rate: 200_000_000,
            queue: Duration::from_millis(200),
            cut: false,
        }
    }
}

pub struct Link {
    quality: Arc<Mutex<Quality>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Link {
    pub(super) fn between(
        one: File,
        other: File,
        quality: Quality,
        seed: u64,
    ) -> std::io::Result<Self> {
        let quality = Arc::new(Mutex::new(quality));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (from, to, seed) in [
            (one.try_clone()?, other.try_clone()?, seed),
            (other, one, seed ^ 0x5bd1_e995),
        ] {
            let (queue, due) = sync_channel(65_536);
            let intake = Intake {
                from,
                quality: Arc::clone(&quality),
                chance: Chance(seed),
                free_at: Instant::now(),
            };
            let stopped = Arc::clone(&stop);
            threads.push(std::thread::spawn(move || intake.run(&queue, &stopped)));
            threads.push(std::thread::spawn(move || deliver(&due, to)));
        }
        Ok(Self {
            quality,
            stop,
            threads,
        })
    }

    pub fn set(&self, quality: Quality) {
        *self.quality.lock().unwrap_or_else(PoisonError::into_inner) = quality;
    }

    #[must_use]
    pub fn quality(&self) -> Quality {
        *self.quality.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

type Packet = (Instant, Vec<u8>);

struct Intake {
    from: File,
    quality: Arc<Mutex<Quality>>,
    chance: Chance,
    /// When the last packet will have left at the line's rate.
    free_at: Instant,
}

impl Intake {
    fn run(mut self, queue: &SyncSender<Packet>, stop: &AtomicBool) {
        let mut packet = vec![0_u8; 65_536];
        while !stop.load(Ordering::Relaxed) {
            match self.from.read(&mut packet) {
                Ok(0) => return,
                Ok(size) => {
                    if let Some(due) = self.admit(size) {
                        // A full queue loses the packet, as a router would.
                        let _ = queue.try_send((due, packet[..size].to_vec()));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.wait(),
                Err(_) => return,
            }
        }
    }

    /// When the packet arrives at the other end, if it does.
    fn admit(&mut self, size: usize) -> Option<Instant> {
        let quality = *self.quality.lock().unwrap_or_else(PoisonError::into_inner);
        if quality.cut || self.chance.next() < quality.loss {
            return None;
        }
        let now = Instant::now();
        let start = self.free_at.max(now);
        if start - now > quality.queue {
            return None;
        }
        let bits = size as u64 * 8;
        self.free_at =
            start + Duration::from_nanos(bits.saturating_mul(1_000_000_000) / quality.rate.max(1));
        Some(self.free_at + quality.delay)
    }

    fn wait(&self) {
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let _ = poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&limit));
    }
}

fn deliver(due: &Receiver<Packet>, mut to: File) {
    while let Ok((at, packet)) = due.recv() {
        let wait = at.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        let _ = to.write(&packet);
    }
}

/// SplitMix64: small, seeded, good enough to lose packets.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64) / ((1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let lost = |seed| {
            let mut chance = Chance(seed);
            (0..10_000)
                .map(|_| chance.next() < 0.01)
                .collect::<Vec<_>>()
        };

        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
        let count = lost(7).into_iter().filter(|lost| *lost).count();
        assert!(
            (60..140).contains(&count),
            "1 % of 10,000 is about 100, not {count}"
        );
    }
}
