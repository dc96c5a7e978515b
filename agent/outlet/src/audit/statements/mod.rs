//! The audit of statements: a chain of its own beside the audit, written behind what runs and not before it.
//! Its queue is bounded; whether a full one holds programs up or marks a gap is the owner's choice, never ours.

mod lines;
mod redact;
mod room;
mod unsaid;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_postgres::Event;
use tidegate_proto::event::EventKind;
use tidegate_proto::names::{OrgName, ServiceName, Subject};
use tidegate_proto::statement::GrantId;

use super::AuditError;
use super::ledger::Ledger;
use crate::config::{AuditPlace, OutletConfig, ServiceConfig, StatementSettings, Target};
use crate::keys::OutletKeys;
use room::Rooms;
pub(crate) use room::{NobodyWrites, Place, Room};
use unsaid::Unsaid;
pub(crate) use writer::StatementWriter;

/// Most of one value that is kept, in bytes.
pub(crate) const VALUE: usize = 256;

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
    /// What the words take, about.
    pub(crate) bytes: usize,
}

/// Where sessions bring what they heard.
#[derive(Clone)]
pub(crate) struct StatementAudit {
    rooms: Rooms,
    unsaid: Arc<Unsaid>,
    /// The disk did not take the last words.
    behind: Arc<AtomicBool>,
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
        // A session that is over may still have its last words in the queue when the next one begins.
        let sessions = 2 * config.limits.circuits;
        any.then(|| Self::open(&config.audit, &config.org, Arc::clone(keys), sessions))
            .transpose()
    }

    /// What is recorded, for the audit itself: whoever takes the chain of statements away cannot say that there was none.
    pub(crate) fn said_of(services: &[ServiceConfig]) -> Vec<EventKind> {
        let recorded = |service: &ServiceConfig| {
            let how = settings(service)?.to_string();
            let service = service.name.clone();
            Some(EventKind::StatementsRecorded { service, how })
        };
        services.iter().filter_map(recorded).collect()
    }

    /// Continues the chain beside the audit at `place`, or begins it, for so many sessions at once; blocks on files.
    pub(crate) fn open(
        place: &AuditPlace,
        org: &OrgName,
        keys: Arc<OutletKeys>,
        sessions: usize,
    ) -> Result<(Self, StatementWriter), AuditError> {
        let ledger = Ledger::open(beside(place), org, keys)?;
        let (rooms, brought, bell) = Rooms::new(sessions);
        let audit = Self {
            rooms,
            unsaid: Arc::default(),
            behind: Arc::default(),
        };
        let shared = (Arc::clone(&audit.unsaid), Arc::clone(&audit.behind));
        let writer = StatementWriter::new(ledger, (brought, bell), shared);
        Ok((audit, writer))
    }

    /// A session's way to the queue.
    pub(crate) fn room(&self) -> Room {
        self.rooms.room()
    }

    /// A place for the last words of a session that begins now. None while the disk takes nothing.
    pub(crate) fn last_place(&self) -> Option<Place> {
        let place = self.rooms.last_place();
        place.filter(|_| !self.behind.load(Ordering::Relaxed))
    }

    /// So many words of a session that is over found no room.
    pub(crate) fn left_unsaid(&self, speaker: &Speaker, count: u64) {
        self.unsaid.add(speaker, count);
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
pub(super) fn place_beside(audit: &std::path::Path) -> PathBuf {
    let place = match audit.is_dir() {
        true => AuditPlace::Daily(audit.to_owned()),
        false => AuditPlace::File(audit.to_owned()),
    };
    let (AuditPlace::Daily(path) | AuditPlace::File(path)) = beside(&place);
    path
}

#[cfg(test)]
mod tests;
