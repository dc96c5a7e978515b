//! Notes the newest line beside the record, so that a cut at the record's end shows.
//! Never in the way of the next record: a file system that is busy elsewhere keeps a rename waiting for tens of milliseconds.

use super::proof::Tip;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

/// How often it is noted at most. A cut of what an outlet wrote in the last moment before it was killed goes unseen.
const EVERY: Duration = Duration::from_millis(200);

pub(super) struct Newest {
    at: PathBuf,
    /// Not noted yet.
    tip: Option<Tip>,
    next: Instant,
    noting: Option<JoinHandle<()>>,
}

impl Newest {
    pub(super) fn new(at: PathBuf) -> Self {
        Self {
            at,
            tip: None,
            next: Instant::now() + EVERY,
            noting: None,
        }
    }

    /// This is the newest line now.
    pub(super) fn is(&mut self, tip: Tip) {
        self.tip = Some(tip);
    }

    /// Waits for the next thing to do and does it; for ever when there is none. Safe to abandon.
    pub(super) async fn step(&mut self) {
        if let Some(noting) = &mut self.noting {
            let _ = noting.await;
            self.noting = None;
        }
        if self.tip.is_none() {
            return std::future::pending().await;
        }
        sleep_until(self.next).await;
        self.begin();
    }

    /// Notes what is left to note.
    pub(super) async fn finish(mut self) {
        while self.noting.is_some() || self.tip.is_some() {
            if let Some(noting) = self.noting.take() {
                let _ = noting.await;
            }
            self.begin();
        }
    }

    fn begin(&mut self) {
        if let Some(tip) = self.tip.take() {
            let at = self.at.clone();
            self.next = Instant::now() + EVERY;
            self.noting = Some(spawn_blocking(move || tip.note(&at)));
        }
    }
}
