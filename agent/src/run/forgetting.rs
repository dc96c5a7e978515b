//! Deletes secrets in the background: a locked keyring must not hold the state's owner.
//! What is being deleted must be gone before a new secret takes its place, so whoever writes one waits for this first.

use tidegate_proto::names::OrgName;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::keys::{Entry, StoreError, Vault};
use crate::signin::goodbye::LastToken;

/// Deletions under way.
#[derive(Default)]
pub(super) struct Forgetting {
    tasks: JoinSet<()>,
    pending: watch::Sender<usize>,
}

/// Waits until nothing is being deleted any more.
#[derive(Clone)]
pub(crate) struct Forgotten(watch::Receiver<usize>);

impl Forgetting {
    /// Starts deleting; `failed` hears why something may still be there. Gives the refresh token once it is forgotten here.
    pub(super) fn forget(
        &mut self,
        vault: &Vault,
        org: &OrgName,
        entries: &'static [Entry],
        failed: impl FnOnce(StoreError) + Send + 'static,
    ) -> LastToken {
        let done = |all: Result<(), StoreError>| all.map_or_else(failed, |()| ());
        self.forget_after(async {}, vault, org, entries, done)
    }

    /// As `forget`, once `before` is over; `done` hears whether all of it is gone.
    pub(super) fn forget_after(
        &mut self,
        before: impl Future<Output = ()> + Send + 'static,
        vault: &Vault,
        org: &OrgName,
        entries: &'static [Entry],
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> LastToken {
        while self.tasks.try_join_next().is_some() {}
        let (vault, org, pending) = (vault.clone(), org.clone(), self.pending.clone());
        pending.send_modify(|pending| *pending += 1);
        let (gone, token) = oneshot::channel();
        self.tasks.spawn(async move {
            before.await;
            let refresh = match entries.contains(&Entry::Refresh) {
                true => vault.read(&org, Entry::Refresh).await,
                false => Ok(None),
            };
            let mut last = Ok(());
            for entry in entries {
                last = vault.delete(&org, *entry).await.and(last);
            }
            done(last);
            pending.send_modify(|pending| *pending -= 1);
            // Not everybody wants it.
            let _ = gone.send(refresh);
        });
        token
    }

    /// For whoever writes a secret next.
    pub(super) fn forgotten(&self) -> Forgotten {
        Forgotten(self.pending.subscribe())
    }

    /// Waits for all deletions.
    pub(super) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Forgotten {
    pub(crate) async fn wait(mut self) {
        // An error means that the owner is going away, and so is whoever waits here.
        let _ = self.0.wait_for(|pending| *pending == 0).await;
    }
}
