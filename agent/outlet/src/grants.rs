//! The clocks of grants: each starts at the first use and is on disk before that use is answered.
//! A newcomer would trust the memory: an outlet that is killed in between would give the same time twice.

use crate::audit::Audit;
use crate::clock;
use crate::known::Known;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_proto::event::EventKind;
use tidegate_proto::session::Session;
use tidegate_proto::statement::GrantId;
use tokio::sync::{Mutex, watch};

/// Starts the clocks of this outlet.
pub(crate) struct Clocks {
    known: Arc<Known>,
    data: PathBuf,
    audit: Audit,
    /// Started here, and kept.
    running: Mutex<BTreeSet<GrantId>>,
    /// Counts starts: whoever tells the authority looks again.
    started: watch::Sender<u64>,
}

/// The first use could not be written down, so it is none.
#[derive(Debug)]
pub(crate) struct NotStarted;

impl Clocks {
    pub(crate) fn new(known: Arc<Known>, data: PathBuf, audit: Audit) -> Self {
        Self {
            known,
            data,
            audit,
            running: Mutex::default(),
            started: watch::Sender::new(0),
        }
    }

    /// Sees to it that the clock of what `session` carries its portal under is running.
    pub(crate) async fn run_for(&self, session: &Session) -> Result<(), NotStarted> {
        let now = clock::now();
        let standing = self.known.footing().borrow().clone().ok_or(NotStarted)?;
        match session.grant_in_use(&standing.standing, now) {
            None => Ok(()),
            Some((grant, last)) => {
                let mut running = self.running.lock().await;
                if running.contains(&grant) {
                    return Ok(());
                }
                let first = self.known.use_grant(grant, now, last);
                if self.kept().await.is_err() {
                    // Only if it began here just now: an older beginning stands.
                    if first {
                        self.known.unuse_grant(grant);
                    }
                    return Err(NotStarted);
                }
                running.insert(grant);
                drop(running);
                if first {
                    self.note(grant).await;
                }
                Ok(())
            }
        }
    }

    async fn note(&self, grant: GrantId) {
        tracing::info!(%grant, "grant was used for the first time");
        self.started.send_modify(|count| *count += 1);
        if let Err(error) = self.audit.record(EventKind::GrantUsed { grant }).await {
            tracing::error!(%error, "a first use was not recorded");
        }
    }

    async fn kept(&self) -> Result<(), NotStarted> {
        let (known, data) = (Arc::clone(&self.known), self.data.clone());
        match tokio::task::spawn_blocking(move || known.keep(&data)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "first use of a grant was not kept");
                Err(NotStarted)
            }
            Err(_) => Err(NotStarted),
        }
    }

    /// Changes when a clock was started here.
    pub(crate) fn started(&self) -> watch::Receiver<u64> {
        self.started.subscribe()
    }
}
