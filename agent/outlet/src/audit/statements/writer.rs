//! The task that writes what sessions bring: many bundles in one go, signed once a line and made durable once for all of them.
//! What the disk does not take is kept and tried again, and meanwhile nothing more is taken: the queue fills, and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_proto::event::EventKind;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::lines::events;
use super::room::Bell;
use super::{Heard, WAITING};
use crate::audit::ledger::{Job, Ledger};
use crate::audit::newest::Newest;
use crate::clock;

/// How long words wait for others to be made durable with them. An outlet that is killed loses about as much.
const GATHER: Duration = Duration::from_millis(100);
/// How often what the disk did not take is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often at the end.
const LAST_TRIES: u32 = 3;

pub(crate) struct StatementWriter {
    ledger: Ledger,
    heard: mpsc::Receiver<Heard>,
    unsaid: Arc<AtomicU64>,
    bell: Bell,
    newest: Newest,
}

impl StatementWriter {
    pub(super) fn new(
        ledger: Ledger,
        heard: mpsc::Receiver<Heard>,
        (unsaid, bell): (Arc<AtomicU64>, Bell),
    ) -> Self {
        let newest = Newest::new(ledger.tip());
        Self {
            ledger,
            heard,
            unsaid,
            bell,
            newest,
        }
    }

    /// Until nobody can bring anything any more, and everything brought is written.
    pub(crate) async fn run(mut self) {
        let mut last_tries = LAST_TRIES;
        loop {
            let (heard, ended) = self.collect().await;
            let Some(back) = self.write(heard).await else {
                return tracing::error!("statement audit writer broke");
            };
            self = back;
            if self.ledger.is_behind() {
                last_tries -= u32::from(ended);
                if last_tries > 0 {
                    sleep(RETRY).await;
                    continue;
                }
                tracing::error!(
                    "statements were not recorded: the disk did not take them before the end"
                );
            }
            if ended {
                return self.newest.finish().await;
            }
        }
    }

    /// What to write next, and whether it is the last. Nothing while something is still to be written.
    async fn collect(&mut self) -> (Vec<Heard>, bool) {
        let mut heard = Vec::new();
        if self.ledger.is_behind() {
            return (heard, self.heard.is_closed() && self.heard.is_empty());
        }
        let mut ended = loop {
            tokio::select! {
                biased;
                taken = self.heard.recv_many(&mut heard, WAITING) => break taken == 0,
                () = self.newest.step() => {}
            }
        };
        self.bell.ring();
        let until = Instant::now() + GATHER;
        while !ended && heard.len() < WAITING / 2 {
            match timeout_at(until, self.heard.recv_many(&mut heard, WAITING)).await {
                Ok(taken) => ended = taken == 0,
                Err(_) => break,
            }
            self.bell.ring();
        }
        (heard, ended)
    }

    /// Writes; `None` after a panic.
    async fn write(self, heard: Vec<Heard>) -> Option<Self> {
        let Self {
            mut ledger,
            heard: queue,
            unsaid,
            bell,
            mut newest,
        } = self;
        let left = unsaid.swap(0, Ordering::Relaxed);
        let written = tokio::task::spawn_blocking(move || {
            let mut what = events(heard);
            if left > 0 {
                what.push(EventKind::StatementsNotListed { count: left });
            }
            let written = ledger.write(what.into_iter().map(job).collect());
            (ledger, written)
        });
        let (mut ledger, result) = written.await.ok()?;
        if let Some(tip) = ledger.newest() {
            newest.is(tip);
        }
        if let Err(error) = result {
            tracing::error!(kind = ?error.kind(), "statements could not be recorded; tried again");
        }
        Some(Self {
            ledger,
            heard: queue,
            unsaid,
            bell,
            newest,
        })
    }
}

fn job(what: EventKind) -> Job {
    Job {
        at: clock::now(),
        what,
        done: None,
    }
}
