//! The audit of statements: a chain of its own beside the audit, written behind what runs and not before it.
//! Its queue is bounded; whether a full one holds programs up or marks a gap is the owner's choice, never ours.

mod lines;
mod redact;
mod room;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_postgres::Event;
use tidegate_proto::names::{OrgName, ServiceName, Subject};
use tidegate_proto::statement::GrantId;
use tokio::sync::mpsc;

use super::AuditError;
use super::ledger::Ledger;
use crate::config::{AuditPlace, OutletConfig, ServiceConfig, StatementSettings, Target};
use crate::keys::OutletKeys;
use room::Bell;
pub(crate) use room::{NobodyWrites, Room};
pub(crate) use writer::StatementWriter;

/// Bundles of words that wait to be written. Each holds at most what one session may hold back.
const WAITING: usize = 64;

/// Whose statements they are, and how they are kept.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) channel: String,
    pub(crate) portal: u64,
    pub(crate) service: ServiceName,
    pub(crate) sub: Subject,
    pub(crate) grant: Option<GrantId>,
    pub(crate) settings: StatementSettings,
}

/// One event of a session, and when it was heard.
pub(crate) struct Word {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    pub(crate) at: u64,
    pub(crate) event: Event,
}

/// What was heard of one session.
pub(crate) struct Heard {
    pub(crate) speaker: Arc<Speaker>,
    /// So many words before these were dropped.
    pub(crate) missed: u64,
    pub(crate) words: Vec<Word>,
}

/// Where sessions bring what they heard.
#[derive(Clone)]
pub(crate) struct StatementAudit {
    queue: mpsc::Sender<Heard>,
    unsaid: Arc<AtomicU64>,
    bell: Bell,
}

impl StatementAudit {
    /// The chain of statements, where some service has any recorded.
    pub(crate) fn of(
        config: &OutletConfig,
        keys: &Arc<OutletKeys>,
    ) -> Result<Option<(Self, StatementWriter)>, AuditError> {
        let any = config
            .services
            .iter()
            .any(|service| settings(service).is_some());
        any.then(|| Self::open(&config.audit, &config.org, Arc::clone(keys)))
            .transpose()
    }

    /// What is recorded, for the audit itself: whoever takes the chain of statements away cannot say that there was none.
    pub(crate) fn said_of(services: &[ServiceConfig]) -> Vec<String> {
        let sentence = |service: &ServiceConfig| {
            let settings = settings(service)?;
            Some(format!(
                "statements of {} are recorded: {settings}",
                service.name
            ))
        };
        services.iter().filter_map(sentence).collect()
    }

    /// Continues the chain beside the audit at `place`, or begins it; blocks on files.
    pub(crate) fn open(
        place: &AuditPlace,
        org: &OrgName,
        keys: Arc<OutletKeys>,
    ) -> Result<(Self, StatementWriter), AuditError> {
        let ledger = Ledger::open(beside(place), org, keys)?;
        let (queue, heard) = mpsc::channel(WAITING);
        let (unsaid, bell) = (Arc::default(), Bell::default());
        let writer = StatementWriter::new(ledger, heard, (Arc::clone(&unsaid), bell.clone()));
        let audit = Self {
            queue,
            unsaid,
            bell,
        };
        Ok((audit, writer))
    }

    /// A session's way to the queue.
    pub(crate) fn room(&self) -> Room {
        Room::new(self.queue.clone(), self.bell.clone())
    }

    /// So many words of a session that is over found no room.
    pub(crate) fn left_unsaid(&self, count: u64) {
        self.unsaid.fetch_add(count, Ordering::Relaxed);
    }
}

fn settings(service: &ServiceConfig) -> Option<StatementSettings> {
    match &service.target {
        Target::Postgres(target) => target.statements,
        Target::Tcp(_) => None,
    }
}

fn beside(place: &AuditPlace) -> AuditPlace {
    match place {
        AuditPlace::Daily(directory) => AuditPlace::Daily(directory.join("statements")),
        AuditPlace::File(path) => AuditPlace::File(path.with_extension("statements.jsonl")),
    }
}

/// Where the statements beside an audit are, if there are any.
pub(super) fn found_beside(audit: &std::path::Path) -> Option<PathBuf> {
    let place = match audit.is_dir() {
        true => AuditPlace::Daily(audit.to_owned()),
        false => AuditPlace::File(audit.to_owned()),
    };
    let (AuditPlace::Daily(path) | AuditPlace::File(path)) = beside(&place);
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests;
