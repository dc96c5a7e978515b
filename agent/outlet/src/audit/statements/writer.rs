//! The task that writes what sessions bring: many bundles in one go, signed once a line and made durable once for all of them.
//! What the disk does not take is kept and tried again, and meanwhile nothing more is taken: the queue fills, and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate_proto::event::EventKind;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::Heard;
use super::lines::events;
use super::room::{Bell, Brought};
use super::unsaid::Unsaid;
use crate::audit::ledger::{Job, Ledger};
use crate::audit::newest::Newest;
use crate::clock;

/// How long words wait for others to be made durable with them. An outlet that is killed loses about as much.
const GATHER: Duration = Duration::from_millis(100);
/// Most that is written in one go, in bytes of words, and one bundle more: all of it has to fit on the disk, or none does.
const PIECE: usize = 1 << 20;
/// How often what the disk did not take is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often at the end.
const LAST_TRIES: u32 = 3;

pub(crate) struct StatementWriter {
    ledger: Ledger,
    queue: Queue,
    unsaid: Arc<Unsaid>,
    behind: Arc<AtomicBool>,
    newest: Newest,
}

/// What sessions bring, and how they hear that there is room again.
struct Queue {
    brought: mpsc::Receiver<Brought>,
    bell: Bell,
}

impl Queue {
    async fn next(&mut self) -> Option<Heard> {
        let Brought { heard, .. } = self.brought.recv().await?;
        self.bell.ring();
        Some(heard)
    }

    fn is_over(&self) -> bool {
        self.brought.is_closed() && self.brought.is_empty()
    }
}

impl StatementWriter {
    pub(super) fn new(
        ledger: Ledger,
        (brought, bell): (mpsc::Receiver<Brought>, Bell),
        (unsaid, behind): (Arc<Unsaid>, Arc<AtomicBool>),
    ) -> Self {
        let newest = Newest::new(ledger.tip());
        Self {
            ledger,
            queue: Queue { brought, bell },
            unsaid,
            behind,
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
            let is_behind = self.ledger.is_behind();
            self.behind.store(is_behind, Ordering::Relaxed);
            if is_behind {
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
        let mut all = Vec::new();
        if self.ledger.is_behind() {
            return (all, self.queue.is_over());
        }
        let mut next = loop {
            tokio::select! {
                biased;
                heard = self.queue.next() => break heard,
                () = self.unsaid.added() => return (all, false),
                () = self.newest.step() => {}
            }
        };
        let until = Instant::now() + GATHER;
        let mut bytes = 0;
        while let Some(heard) = next {
            bytes += heard.bytes;
            all.push(heard);
            if bytes >= PIECE {
                return (all, false);
            }
            next = match timeout_at(until, self.queue.next()).await {
                Ok(heard) => heard,
                Err(_) => return (all, false),
            };
        }
        (all, true)
    }

    /// Writes; `None` after a panic.
    async fn write(self, heard: Vec<Heard>) -> Option<Self> {
        let Self {
            mut ledger,
            queue,
            unsaid,
            behind,
            mut newest,
        } = self;
        let left = unsaid.take();
        let written = tokio::task::spawn_blocking(move || {
            let mut what = events(heard);
            what.extend(left);
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
            queue,
            unsaid,
            behind,
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
