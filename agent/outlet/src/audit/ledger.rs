//! The writing end: takes what is waiting, writes it in one go, makes it durable, and only then says so.
//! Nobody waits for a closing, so it does not get a write of its own that the next opening would have to wait for.
//! A failed write puts the chain back; closings that could not be written wait here and come first next time.

use super::files::{self, Files};
use super::newest::Newest;
use super::proof::{self, Keeper, OpenPortal, Tip};
use super::{AuditError, NotRecorded};
use crate::clock;
use crate::config::AuditPlace;
use crate::keys::OutletKeys;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate_proto::event::{Appended, Chain, EventKind, Recorded, Verifier};
use tidegate_proto::names::OrgName;
use tidegate_proto::time::UnixTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

/// Most events in one write.
const BATCH: usize = 256;
/// How often closings that the disk did not take are tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long closings wait for a record that somebody waits for, to reach the disk together with it.
const CLOSINGS: Duration = Duration::from_millis(20);

type Done = oneshot::Sender<Result<Recorded, NotRecorded>>;

/// One event on its way to disk.
pub(super) struct Job {
    pub(super) at: UnixTime,
    pub(super) what: EventKind,
    /// Nobody waits for a closing.
    pub(super) done: Option<Done>,
}

/// The chain, its files and what still has to be written.
pub(super) struct Ledger {
    files: Files,
    chain: Chain,
    keeper: Keeper,
    keys: Arc<OutletKeys>,
    /// Bounded by the number of records that can be open.
    waiting: Vec<Job>,
    /// The newest durable line, until somebody takes it to be noted.
    last: Option<Tip>,
}

impl Ledger {
    pub(super) fn open(
        place: AuditPlace,
        org: &OrgName,
        keys: Arc<OutletKeys>,
    ) -> Result<Self, AuditError> {
        let at = match &place {
            AuditPlace::Daily(path) | AuditPlace::File(path) => path.clone(),
        };
        let failed = |error: io::Error| AuditError::Io {
            path: at.clone(),
            kind: error.kind(),
        };
        let files = Files::new(place).map_err(failed)?;
        let keeper = Keeper {
            org: org.clone(),
            identity: keys.identity.verify_key(),
        };
        let found = recover(&files, &keeper, &at)?;
        let mut ledger = Self {
            files,
            chain: found.0,
            keeper,
            keys,
            waiting: Vec::new(),
            last: None,
        };
        let now = clock::now();
        for OpenPortal {
            channel,
            portal,
            service,
        } in found.1
        {
            let what = EventKind::PortalAbandoned {
                channel,
                portal,
                service,
            };
            ledger.waiting.push(Job {
                at: now,
                what,
                done: None,
            });
        }
        let what = EventKind::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        ledger.waiting.push(Job {
            at: now,
            what,
            done: None,
        });
        ledger.write(Vec::new()).map_err(failed)?;
        if let Some(tip) = ledger.last.take() {
            tip.note(&ledger.files.tip());
        }
        Ok(ledger)
    }

    /// Writes what waits and then `batch`, all or nothing. Blocks.
    pub(super) fn write(&mut self, batch: Vec<Job>) -> io::Result<()> {
        let mut jobs = std::mem::take(&mut self.waiting);
        jobs.extend(batch);
        if jobs.is_empty() {
            return Ok(());
        }
        let before = self.chain.clone();
        let (lines, appended) = self.sign(&jobs);
        match self.files.append(&clock::day(clock::now()), &lines) {
            Ok(()) => {
                confirm(jobs, appended);
                self.remember(&lines);
                Ok(())
            }
            Err(error) => {
                self.chain = before;
                self.keep(jobs, error.kind());
                Err(error)
            }
        }
    }

    /// Whether something was not taken by the disk yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Where the newest line is noted besides.
    pub(super) fn tip(&self) -> std::path::PathBuf {
        self.files.tip()
    }

    /// The newest durable line, once.
    pub(super) fn newest(&mut self) -> Option<Tip> {
        self.last.take()
    }

    fn sign(&mut self, jobs: &[Job]) -> (String, Vec<Appended>) {
        let mut lines = String::new();
        let mut appended = Vec::with_capacity(jobs.len());
        for job in jobs {
            let line = self
                .chain
                .append(job.at, job.what.clone(), &self.keys.identity);
            lines.push_str(line.line());
            lines.push('\n');
            appended.push(line);
        }
        (lines, appended)
    }

    /// After a failure: whoever waits is told; what nobody waits for any more stays to be written.
    fn keep(&mut self, jobs: Vec<Job>, kind: io::ErrorKind) {
        for mut job in jobs {
            let told = job
                .done
                .take()
                .is_some_and(|done| done.send(Err(NotRecorded::Disk(kind))).is_ok());
            if !told {
                self.waiting.push(job);
            }
        }
    }

    fn remember(&mut self, lines: &str) {
        let last = lines.trim_end().rsplit('\n').next().unwrap_or_default();
        self.last = Some(Tip {
            keeper: self.keeper.clone(),
            last: last.to_owned(),
        });
    }
}

fn confirm(jobs: Vec<Job>, appended: Vec<Appended>) {
    for (job, line) in jobs.into_iter().zip(appended) {
        let recorded = Chain::confirm(line);
        if let Some(done) = job.done {
            // Whoever asked may have given up; the guard then closes the record.
            let _ = done.send(Ok(recorded));
        }
    }
}

/// The chain as it stands, after proving its newest part, and the portals whose records were left open.
/// The last two files are proved: a portal that was open at a crash is in one of them, unless it ran for days.
fn recover(
    files: &Files,
    keeper: &Keeper,
    at: &Path,
) -> Result<(Chain, Vec<OpenPortal>), AuditError> {
    let failed = |error: io::Error| AuditError::Io {
        path: at.to_owned(),
        kind: error.kind(),
    };
    let existing = files.existing().map_err(failed)?;
    if let Some(newest) = existing.last() {
        cut_torn_line(newest)?;
    }
    let newest = &existing[existing.len().saturating_sub(2)..];
    let before = &existing[..existing.len() - newest.len()];
    let verifier = match last_line(before).map_err(failed)? {
        None => Verifier::new(&keeper.org, &keeper.identity),
        Some(line) => Verifier::resume(&keeper.org, &keeper.identity, &line)
            .map_err(|_| AuditError::OtherKeeper(at.to_owned()))?,
    };
    let walked = proof::walk(verifier, newest)?;
    if let Some(tip) = Tip::load(&files.tip()) {
        tip.check(keeper, &walked, at)?;
    }
    Ok((walked.verifier.into_chain(), walked.open))
}

fn cut_torn_line(newest: &Path) -> Result<(), AuditError> {
    let failed = |error: io::Error| AuditError::Io {
        path: newest.to_owned(),
        kind: error.kind(),
    };
    let whole = files::for_each_line(newest, |_| Ok(())).map_err(failed)?;
    if !whole {
        let bytes = files::cut_torn_line(newest).map_err(failed)?;
        tracing::warn!(bytes, "half a line at the end of the audit was taken away");
    }
    Ok(())
}

/// The last line of the last file that has one.
fn last_line(paths: &[std::path::PathBuf]) -> io::Result<Option<String>> {
    for path in paths.iter().rev() {
        let mut last = None;
        files::for_each_line::<io::Error>(path, |line| {
            last = Some(line.to_owned());
            Ok(())
        })?;
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

/// The task that writes. It ends when nobody can record any more, and no record is open.
pub(crate) struct Writer {
    ledger: Ledger,
    queue: mpsc::Receiver<Job>,
    newest: Newest,
    durable: watch::Sender<u64>,
}

impl Writer {
    /// And the number of the newest line on disk, as it rises.
    pub(super) fn new(ledger: Ledger, queue: mpsc::Receiver<Job>) -> (Self, watch::Receiver<u64>) {
        let newest = Newest::new(ledger.tip());
        let (durable, told) = watch::channel(ledger.chain.head().seq);
        let writer = Self {
            ledger,
            queue,
            newest,
            durable,
        };
        (writer, told)
    }

    pub(crate) async fn run(mut self) {
        loop {
            let (batch, ended) = self.collect().await;
            let mut ledger = self.ledger;
            let written = tokio::task::spawn_blocking(move || {
                let written = ledger.write(batch);
                (ledger, written)
            });
            let Ok((back, result)) = written.await else {
                tracing::error!("audit writer broke");
                return;
            };
            self.ledger = back;
            if let Some(tip) = self.ledger.newest() {
                self.newest.is(tip);
            }
            self.durable.send_replace(self.ledger.chain.head().seq);
            if let Err(error) = result {
                tracing::error!(kind = ?error.kind(), waiting = self.ledger.waiting.len(), "audit could not be written");
            }
            if ended {
                return self.newest.finish().await;
            }
        }
    }

    /// What to write next, and whether it is the last.
    async fn collect(&mut self) -> (Vec<Job>, bool) {
        let mut batch = Vec::new();
        let mut ended = loop {
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut batch, BATCH) => break taken == 0,
                () = tokio::time::sleep(RETRY), if !self.ledger.waiting.is_empty() => break false,
                () = self.newest.step() => {}
            }
        };
        let until = Instant::now() + CLOSINGS;
        while !ended && !batch.is_empty() && batch.len() < BATCH && nobody_waits(&batch) {
            let room = BATCH - batch.len();
            match timeout_at(until, self.queue.recv_many(&mut batch, room)).await {
                Ok(taken) => ended = taken == 0,
                Err(_) => break,
            }
        }
        (batch, ended)
    }
}

fn nobody_waits(batch: &[Job]) -> bool {
    batch.iter().all(|job| job.done.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::private_dir;
    use tidegate_proto::entropy::SystemEntropy;

    fn ledger_on(files: Files) -> Ledger {
        let dir = private_dir();
        let keys = OutletKeys::load_or_make(&dir.path().join("keys"), &SystemEntropy);
        let keys = Arc::new(keys.ok().unwrap());
        let (org, identity): (OrgName, _) = ("acme".parse().unwrap(), keys.identity.verify_key());
        Ledger {
            files,
            chain: Chain::start(&org, &identity),
            keeper: Keeper { org, identity },
            keys,
            waiting: Vec::new(),
            last: None,
        }
    }

    fn job(done: Option<Done>) -> Job {
        Job {
            at: UnixTime(1),
            what: EventKind::RefusalsNotListed { count: 1 },
            done,
        }
    }

    #[tokio::test]
    async fn what_was_written_and_not_synced_is_refused_to_whoever_waits_and_kept_where_nobody_does()
     {
        let mut ledger = ledger_on(Files::that_never_sync());
        let (done, answer) = oneshot::channel();

        let written = ledger.write(vec![job(Some(done)), job(None)]);

        assert!(written.is_err());
        assert_eq!(
            answer.await.unwrap().err(),
            Some(NotRecorded::Disk(io::ErrorKind::InvalidInput))
        );
        assert_eq!(ledger.waiting.len(), 1);
        assert!(ledger.last.is_none(), "nothing new is noted as durable");
    }
}
