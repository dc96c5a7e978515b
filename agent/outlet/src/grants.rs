//! The clocks of grants: each starts at the first use and is on disk before that use is answered.
//! A newcomer would trust the memory: an outlet that is killed in between would give the same time twice.

use crate::audit::Audit;
use crate::clock;
use crate::known::Known;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_proto::event::EventKind;
use tidegate_proto::problem::Code;
use tidegate_proto::session::Session;
use tidegate_proto::statement::GrantId;
use tidegate_proto::time::UnixTime;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Starts the clocks of this outlet.
pub(crate) struct Clocks {
    known: Arc<Known>,
    data: PathBuf,
    audit: Audit,
    /// Started here, and kept.
    running: Mutex<BTreeSet<GrantId>>,
    /// Counts starts: whoever tells the authority looks again.
    started: watch::Sender<u64>,
    /// Starts under way: one that has begun is written down and told, whoever waited for it.
    starting: TaskTracker,
}

/// The clock does not run, so nothing may go on: the grant counts no more, or its first use could not be written down.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotStarted(pub(crate) Code);

/// A clock that is being started; none where nobody needs one.
pub(crate) struct Start(Option<JoinHandle<Result<(), NotStarted>>>);

impl Start {
    /// Once it runs. Safe to abandon; not to be asked again after it was answered.
    pub(crate) async fn runs(&mut self) -> Result<(), NotStarted> {
        match &mut self.0 {
            None => Ok(()),
            Some(start) => start.await.unwrap_or(Err(NotStarted(Code::Internal))),
        }
    }
}

impl Clocks {
    pub(crate) fn new(known: Arc<Known>, data: PathBuf, audit: Audit) -> Self {
        Self {
            known,
            data,
            audit,
            running: Mutex::default(),
            started: watch::Sender::new(0),
            starting: TaskTracker::new(),
        }
    }

    /// Sees to it that the clock of what `session` carries its portal under is running. Safe to abandon: it starts all the same.
    pub(crate) async fn run_for(self: &Arc<Self>, session: &Session) -> Result<(), NotStarted> {
        self.start_for(session)?.runs().await
    }

    /// As `run_for`, for somebody who has more to do than to wait.
    pub(crate) fn start_for(self: &Arc<Self>, session: &Session) -> Result<Start, NotStarted> {
        let now = clock::now();
        let footing = self.known.footing().borrow().clone();
        let footing = footing.ok_or(NotStarted(Code::Internal))?;
        let grant = session.grant_in_use(&footing.standing, now);
        let grant = grant.map_err(|refusal| NotStarted(refusal.code))?;
        Ok(Start(grant.map(|grant| {
            let this = Arc::clone(self);
            self.starting
                .spawn(async move { this.run(grant, now).await })
        })))
    }

    /// Waits until what was begun has ended. To be called when nobody begins anything any more.
    pub(crate) async fn shutdown(&self) {
        self.starting.close();
        self.starting.wait().await;
    }

    async fn run(&self, grant: GrantId, now: UnixTime) -> Result<(), NotStarted> {
        let mut running = self.running.lock().await;
        // What was forgotten since is not running, whatever was noted here.
        running.retain(|grant| self.known.first_use(*grant).is_some());
        if running.contains(&grant) {
            return Ok(());
        }
        let first = self.known.use_grant(grant, now);
        if let Err(not) = self.kept().await {
            // Only if it began here just now: an older beginning stands.
            if first {
                self.known.unuse_grant(grant, now);
            }
            return Err(not);
        }
        running.insert(grant);
        drop(running);
        if first {
            self.note(grant).await;
        }
        Ok(())
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
                Err(NotStarted(Code::NotRecorded))
            }
            Err(_) => Err(NotStarted(Code::NotRecorded)),
        }
    }

    /// Changes when a clock was started here.
    pub(crate) fn started(&self) -> watch::Receiver<u64> {
        self.started.subscribe()
    }
}
