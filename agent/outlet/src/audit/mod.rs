//! The outlet's audit: what happened, signed, chained and durable before the first byte of a portal flows.
//! A record that was opened is closed exactly once, by a guard; what cannot be written lets nobody in.

pub(crate) mod after;
mod files;
mod ledger;
mod newest;
mod proof;
mod record;
mod refusals;
mod statements;

pub(crate) use ledger::Writer;
pub use proof::{Keeper, Proof, ProofError, verify, verify_alone};
pub(crate) use record::OpenRecord;
pub(crate) use refusals::{Listing, Refusals};
pub(crate) use statements::{
    Heard, NobodyWrites, Place, Room, Speaker, StatementAudit, StatementWriter, VALUE, Word,
};

use crate::clock;
use crate::config::AuditPlace;
use crate::keys::OutletKeys;
use ledger::{Job, Ledger};
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_link::PortalControl;
use tidegate_proto::event::{EventKind, FirstBad, PortalOpened, Recorded};
use tidegate_proto::names::OrgName;
use tokio::sync::{mpsc, oneshot, watch};

/// Why the audit cannot be begun or continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error("the audit at {} cannot be read or written: {kind:?}", path.display())]
    Io {
        path: PathBuf,
        kind: std::io::ErrorKind,
    },
    #[error(
        "the audit cannot be continued: {}, {bad}; keep it as it is and move it away, then a new one begins",
        path.display()
    )]
    Broken { path: PathBuf, bad: FirstBad },
    #[error("the audit at {} was kept by another key or org; move it away, then a new one begins", .0.display())]
    OtherKeeper(PathBuf),
    #[error("the audit at {} once was longer: its end was cut off; keep it and move it away, then a new one begins", .0.display())]
    CutOff(PathBuf),
}

/// An event is not durable, so what depends on it must not happen.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRecorded {
    #[error("too many records are open")]
    Full,
    #[error("the disk did not take the record: {0:?}")]
    Disk(std::io::ErrorKind),
    #[error("the audit has ended")]
    Ended,
}

/// A handle for whoever has something to record.
#[derive(Clone)]
pub(crate) struct Audit {
    jobs: mpsc::Sender<Job>,
    durable: watch::Receiver<u64>,
}

impl Audit {
    /// Continues the audit at `place`, or begins it; blocks on files. `portals` bounds the records open at once.
    pub(crate) fn open(
        place: AuditPlace,
        org: &OrgName,
        keys: Arc<OutletKeys>,
        portals: usize,
    ) -> Result<(Self, Writer), AuditError> {
        let ledger = Ledger::open(place, org, keys)?;
        // A slot to open and one to close for each portal, and some for everything else.
        let (jobs, queue) = mpsc::channel(2 * portals + 64);
        let (writer, durable) = Writer::new(ledger, queue);
        Ok((Self { jobs, durable }, writer))
    }

    /// The number of the newest line that is on disk, as it rises.
    pub(crate) fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Waits until `what` is durable.
    pub(crate) async fn record(&self, what: EventKind) -> Result<Recorded, NotRecorded> {
        let (done, answer) = oneshot::channel();
        let job = Job {
            at: clock::now(),
            what,
            done: Some(done),
        };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotRecorded::Full,
            mpsc::error::TrySendError::Closed(_) => NotRecorded::Ended,
        })?;
        answer.await.unwrap_or(Err(NotRecorded::Ended))
    }

    /// Opens the record of a portal; the place in the queue for closing it is taken at the same time.
    pub(crate) async fn open_record(
        &self,
        opened: &PortalOpened,
    ) -> Result<(Recorded, OpenRecord), NotRecorded> {
        let slot = self
            .jobs
            .clone()
            .try_reserve_owned()
            .map_err(|_| NotRecorded::Full)?;
        let record = OpenRecord::new(slot, opened);
        match self.record(EventKind::PortalOpened(opened.clone())).await {
            Ok(recorded) => Ok((recorded, record)),
            Err(error) => {
                record.was_never_opened();
                Err(error)
            }
        }
    }
}

/// Bytes through a portal, for its closing record.
pub(crate) type Counted = Option<PortalControl>;

#[cfg(test)]
mod tests;
