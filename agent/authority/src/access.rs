//! Requests for access in memory, as the store has them: one change at a time, and everybody who listens looks again.
//! A newcomer would decide here who may get in: nothing here does. What people signed is kept, sealed and handed on.

mod record;
mod view;

pub(crate) use record::{Access, Asked, Given};
pub(crate) use view::{news_for, views_for};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_proto::{statement::GrantId, time::UnixTime};
use tokio::sync::watch;

use crate::{
    refusal::Refusal,
    store::{AccessDoc, Store, StoreError},
};

/// All that still matter.
#[derive(Default)]
pub(crate) struct Accesses {
    all: Mutex<BTreeMap<GrantId, Arc<Access>>>,
    /// Whoever changes one holds this from reading it to writing it: a line in the record and the change belong together.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

impl Accesses {
    /// What the store has.
    pub(crate) async fn load(store: &dyn Store, now: UnixTime) -> Result<Self, StoreError> {
        let docs = store.accesses(now).await?;
        let read = |doc: &AccessDoc| {
            serde_json::from_str::<Access>(&doc.doc).map_err(|_| StoreError::Corrupt)
        };
        let all = docs
            .iter()
            .map(|doc| read(doc).map(|access| (access.id, Arc::new(access))))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            all: Mutex::new(all),
            ..Self::default()
        })
    }

    pub(crate) fn one(&self, id: GrantId) -> Option<Arc<Access>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Access>> {
        self.lock().values().cloned().collect()
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

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<GrantId, Arc<Access>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
