//! Requests for access in memory, as the store has them: one change at a time, and everybody who listens looks again.
//! A newcomer would decide here who may get in: nothing here does. What people signed is kept, sealed and handed on.

mod judge;
mod news;
mod record;
mod room;
#[cfg(test)]
mod testing;
mod view;

pub(crate) use judge::Judge;
pub(crate) use news::Told;
pub(crate) use record::{Access, Asked, Given};
pub(crate) use room::Room;
pub(crate) use view::{is_own, told_to};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_proto::{api::turn::Turn, entropy::Entropy, statement::GrantId, time::UnixTime};
use tokio::sync::watch;

use crate::{
    refusal::Refusal,
    store::{AccessDoc, Store, StoreError},
};

/// How long one that is gone stays on the disk, for whoever looks into what happened, in seconds.
const KEPT: u64 = 30 * 86_400;
/// So many are stripped in one go: who decides meanwhile waits.
const TIDIED: usize = 200;

/// All that still matter.
#[derive(Default)]
pub(crate) struct Accesses {
    all: Mutex<BTreeMap<GrantId, Arc<Access>>>,
    /// In the store, and not to be understood: a newer version wrote them, or the disk failed.
    unreadable: BTreeMap<GrantId, UnixTime>,
    /// Whoever changes one holds this from reading it to writing it: a line in the record and the change belong together.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Counts changes.
    changed: watch::Sender<u64>,
    /// Drawn at the start, and how often all were looked at since: no two lists that are told have the same turn.
    run: u64,
    looks: AtomicU64,
}

/// How everything stood at one moment, and which moment that was.
pub(crate) struct Moment<T> {
    pub(crate) turn: Turn,
    pub(crate) all: Vec<Arc<Access>>,
    /// What else was read then.
    pub(crate) beside: T,
}

impl Accesses {
    /// What the store has.
    pub(crate) async fn load(
        store: &dyn Store,
        entropy: &dyn Entropy,
        now: UnixTime,
    ) -> Result<Self, StoreError> {
        let mut run = [0; 8];
        entropy.fill(&mut run);
        let (mut all, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for doc in store.accesses(now).await? {
            if let Ok(access) = serde_json::from_str::<Access>(&doc.doc) {
                all.insert(access.id, Arc::new(access));
            } else {
                // Outlets are told that it counts no more; whoever needs it asks again.
                tracing::error!(
                    id = doc.id,
                    "a request for access in the store cannot be read"
                );
                let id = doc.id.parse().map_err(|_| StoreError::Corrupt)?;
                unreadable.insert(id, doc.gone_at);
            }
        }
        Ok(Self {
            all: Mutex::new(all),
            unreadable,
            run: u64::from_be_bytes(run),
            ..Self::default()
        })
    }

    pub(crate) fn one(&self, id: GrantId) -> Option<Arc<Access>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Access>> {
        self.lock().values().cloned().collect()
    }

    /// All, to be told, with what `beside` reads in the same moment: a later turn never shows an older state of either.
    pub(crate) fn moment<T>(&self, beside: impl FnOnce() -> T) -> Moment<T> {
        let all = self.lock();
        // The lock orders it; the count is all that others read.
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        Moment {
            turn: Turn {
                run: self.run,
                number,
            },
            all: all.values().cloned().collect(),
            beside: beside(),
        }
    }

    /// Keeps a new one, or the next version of one, and tells all who listen.
    pub(crate) async fn put(
        &self,
        store: &dyn Store,
        access: Access,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let doc = serde_json::to_string(&access).map_err(|_| StoreError::Corrupt)?;
        let doc = AccessDoc {
            id: access.id.to_string(),
            version: access.version,
            gone_at: access.gone_at(),
            doc,
        };
        if !store.put_access(&doc).await? {
            return Err(Refusal::RequestNotOpen);
        }
        let mut all = self.lock();
        all.retain(|_, one| one.gone_at() > now);
        all.insert(access.id, Arc::new(access));
        drop(all);
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Forgets one that is over, before its time. Whoever calls holds `changing`.
    pub(crate) async fn drop_one(&self, store: &dyn Store, id: GrantId) -> Result<(), Refusal> {
        store.forget_access(&id.to_string()).await?;
        self.lock().remove(&id);
        Ok(())
    }

    /// Forgets what was gone for long, and of all that is over what was only needed to use it.
    pub(crate) async fn tidy(&self, store: &dyn Store, now: UnixTime) -> Result<(), Refusal> {
        let _one = self.changing.lock().await;
        let over = self.all();
        let stripped = over.iter().filter_map(|access| access.stripped(now));
        for next in stripped.take(TIDIED) {
            self.put(store, next, now).await?;
        }
        Ok(store.forget_accesses(now.minus(KEPT)).await?)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GrantId, Arc<Access>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
