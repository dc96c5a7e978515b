//! The café's line: carries packets between two TUN devices with delay, loss, a rate and a finite queue, and harms them.
//! The kernel here has no netem. Loss comes from a seeded generator, so a run that failed can be played again.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::harm;
use crate::chance::Chance;

/// How long a packet that shall come late waits for one to come before it.
const LATE: Duration = Duration::from_millis(30);

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
    pub harm: Harm,
}

/// Chances of what else befalls a packet, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Harm {
    /// It comes twice.
    pub double: f64,
    /// It comes behind the one that follows it.
    pub late: f64,
    /// A bit of it is turned; checksums notice.
    pub corrupt: f64,
    /// Two words of what it carries change places: no checksum of the internet notices.
    pub forge: f64,
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
            harm: Harm::default(),
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
                chance: Chance::of(seed),
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

struct Packet {
    due: Instant,
    /// Comes behind the next one.
    late: bool,
    bytes: Vec<u8>,
}

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
                        self.send(due, &packet[..size], queue);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.wait(),
                Err(_) => return,
            }
        }
    }

    /// A full queue loses the packet, as a router would.
    fn send(&mut self, due: Instant, bytes: &[u8], queue: &SyncSender<Packet>) {
        let harm = self.quality().harm;
        let mut bytes = bytes.to_vec();
        if self.chance.strikes(harm.corrupt) {
            harm::turn_a_bit(&mut bytes, &mut self.chance);
        }
        if self.chance.strikes(harm.forge) {
            harm::swap_words(&mut bytes, &mut self.chance);
        }
        let late = self.chance.strikes(harm.late);
        if self.chance.strikes(harm.double) {
            let (late, bytes) = (false, bytes.clone());
            let _ = queue.try_send(Packet { due, late, bytes });
        }
        let _ = queue.try_send(Packet { due, late, bytes });
    }

    fn quality(&self) -> Quality {
        *self.quality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the packet arrives at the other end, if it does.
    fn admit(&mut self, size: usize) -> Option<Instant> {
        let quality = self.quality();
        if quality.cut || self.chance.part() < quality.loss {
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

fn deliver(queue: &Receiver<Packet>, mut to: File) {
    let mut held: Option<Packet> = None;
    loop {
        match next(queue, held.is_some()) {
            Ok(packet) if packet.late && held.is_none() => held = Some(packet),
            Ok(packet) => {
                let wait = packet.due.saturating_duration_since(Instant::now());
                if !wait.is_zero() {
                    std::thread::sleep(wait);
                }
                let _ = to.write(&packet.bytes);
                if let Some(held) = held.take() {
                    let _ = to.write(&held.bytes);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(held) = held.take() {
                    let _ = to.write(&held.bytes);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn next(queue: &Receiver<Packet>, holding: bool) -> Result<Packet, RecvTimeoutError> {
    match holding {
        true => queue.recv_timeout(LATE),
        false => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use crate::chance::Chance;

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let lost = |seed| {
            let mut chance = Chance::of(seed);
            (0..10_000)
                .map(|_| chance.part() < 0.01)
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
