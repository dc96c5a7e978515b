//! What all calls share: keys, clock, store, the bundle in force, the signs of life, the record.
//! The two `watch`es are the only state that changes; both are replaced whole.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use tidegate_proto::{
    api::CatalogueEntry,
    entropy::Entropy,
    event::EventKind,
    identity::NoisePublic,
    statement::{Beacon, OrgBundle, Pass, PassRole, Statement},
    strict::to_base64url,
    time::{SKEW, UnixTime},
};
use tokio::sync::{Mutex, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Accesses,
    audit::{Audit, Gathered},
    caller::Who,
    clock::Clock,
    in_force::{Anchor, BundleError, Change, Entry, InForce},
    introductions::Introductions,
    keys::AuthorityKeys,
    pace::Pace,
    provider_keys::ProviderKeys,
    refusal::Refusal,
    signs::Signs,
    store::{Keeper, RecordLine, Store, StoreError},
};

/// Revocations that are looked at for one beacon: one more than it can hold.
const PAST: u32 = Beacon::MAX_REVOKED as u32 + 1;

/// So long after a revocation a relay may still meet a device's pass from before it, in seconds: its life, and both clocks' error.
const PASSES_OUTLIVE: u64 = Pass::LIFE + 2 * SKEW;

pub(crate) struct Core {
    pub(crate) anchor: Anchor,
    pub(crate) keys: Arc<AuthorityKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) audit: Audit,
    /// The records of outlets.
    pub(crate) gathered: Arc<Gathered>,
    pub(crate) provider: ProviderKeys,
    pub(crate) in_force: watch::Sender<Arc<InForce>>,
    pub(crate) signs: watch::Sender<Arc<Signs>>,
    /// One bundle at a time: an older one must not overtake a newer one.
    pub(crate) replacing: Mutex<()>,
    pub(crate) shut_out: watch::Sender<Arc<BTreeSet<String>>>,
    /// One beat at a time: a beacon with an older epoch must not overtake a newer one.
    pub(crate) beating: Mutex<()>,
    pub(crate) draining: CancellationToken,
    pub(crate) pace: Pace,
    /// Of calls about access that ask for nothing new: each may move what others see.
    pub(crate) pace_of_looks: Pace,
    pub(crate) introductions: Introductions,
    pub(crate) accesses: Accesses,
    /// What must be finished even if whoever asked has gone.
    pub(crate) duties: TaskTracker,
}

impl Core {
    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The bundle in force, if its statement about this authority still counts.
    pub(crate) fn in_force(&self) -> Result<Arc<InForce>, Refusal> {
        let in_force = self.in_force.borrow().clone();
        match in_force.org.authority.valid_at(self.now()) {
            Ok(()) => Ok(in_force),
            Err(_) => Err(Refusal::Lapsed),
        }
    }

    /// Signs the moment and shows it to all who listen.
    pub(crate) async fn beat(&self) -> Result<(), StoreError> {
        let _one = self.beating.lock().await;
        let in_force = self.in_force.borrow().clone();
        let signs = make_signs(&self.keys, &in_force, &*self.store, self.now()).await?;
        let shut_out =
            pseudonyms_shut_out(&self.anchor, &self.keys, &*self.store, self.now()).await?;
        self.signs.send_replace(Arc::new(signs));
        self.shut_out.send_if_modified(|told| {
            let differs = **told != shut_out;
            if differs {
                *told = Arc::new(shut_out);
            }
            differs
        });
        Ok(())
    }

    /// Puts a new bundle in force, or keeps the old one.
    pub(crate) async fn replace(&self, bundle: OrgBundle) -> Result<Vec<Change>, BundleError> {
        let _one = self.replacing.lock().await;
        self.put_in_force(bundle).await
    }

    /// Looks again which outlets there are, and tells all who listen.
    pub(crate) async fn outlets_changed(&self) -> Result<(), BundleError> {
        let _one = self.replacing.lock().await;
        let bundle = self.in_force.borrow().bundle.clone();
        self.put_in_force(bundle).await.map(drop)
    }

    async fn put_in_force(&self, bundle: OrgBundle) -> Result<Vec<Change>, BundleError> {
        let taken =
            InForce::take(bundle, &self.anchor, &self.keys, &*self.store, self.now()).await?;
        let changes = taken.changes_since(&self.in_force.borrow());
        self.in_force.send_replace(Arc::new(taken));
        self.beat().await?;
        Ok(changes)
    }

    /// The beacon of the moment, for `who`.
    pub(crate) fn beacon_for(&self, who: &Who) -> String {
        let signs = self.signs.borrow().clone();
        signs.for_caller(&self.keys, who).to_string()
    }

    pub(crate) async fn record(&self, what: EventKind) -> Result<(), Refusal> {
        self.record_line(what).await.map(drop)
    }

    /// As `record`; gives the number of the line, for a seal.
    pub(crate) async fn record_line(&self, what: EventKind) -> Result<u64, Refusal> {
        let (number, line) = self.audit.record(self.now(), what.clone()).await?;
        let line = RecordLine::of(line, &what);
        let keeper = Keeper::Authority(self.keys.public().key);
        self.show_later(keeper, &[line]).await;
        Ok(number)
    }

    /// Keeps lines for whoever they concern. They are on record whether or not that succeeds.
    pub(crate) async fn show_later(&self, keeper: Keeper, lines: &[RecordLine]) {
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.store.record(&keeper, lines, self.now()).await {
            tracing::error!(%error, "a line of the record will not be shown to whom it concerns");
        }
    }

    /// Does a duty to its end: hyper drops a call whose caller hangs up, and a record must not depend on that.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        duty: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.duties.spawn(duty).await;
        done.unwrap_or(Err(Refusal::Panicked))
    }

    /// Admission to the org's relays for the holder of `link_key`.
    pub(crate) fn pass(
        &self,
        role: PassRole,
        who: &Who,
        link_key: &NoisePublic,
        entries: &[&Entry],
    ) -> String {
        let pass = Pass {
            org: self.anchor.org.clone(),
            pseudonym: self.keys.veil.pseudonym(&self.anchor.org, &who.key()),
            role,
            handles: entries.iter().map(|entry| entry.handle).collect(),
            cnf: link_key.fingerprint(),
            not_after: self.now().plus(Pass::LIFE),
        };
        pass.sign(&self.keys.signing)
    }

    /// 128 random bits as text.
    pub(crate) fn fresh_id(&self) -> String {
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        to_base64url(&id)
    }
}

pub(crate) async fn make_signs(
    keys: &AuthorityKeys,
    in_force: &InForce,
    store: &dyn Store,
    now: UnixTime,
) -> Result<Signs, StoreError> {
    let (past, epoch) = store.past(PAST).await?;
    Ok(Signs::make(keys, in_force, (&past, epoch), now))
}

/// By which names relays know those who are shut out and could still come with something that was good once.
pub(crate) async fn pseudonyms_shut_out(
    anchor: &Anchor,
    keys: &AuthorityKeys,
    store: &dyn Store,
    now: UnixTime,
) -> Result<BTreeSet<String>, StoreError> {
    let devices = store.shut_out_since(now.minus(PASSES_OUTLIVE)).await?;
    let pseudonym = |device| keys.veil.pseudonym(&anchor.org, device);
    Ok(devices.iter().map(pseudonym).collect())
}

/// Entries as they are handed out; a pass can name no more than so many.
pub(crate) fn handed_out(mut entries: Vec<&Entry>) -> (Vec<&Entry>, Vec<CatalogueEntry>) {
    if entries.len() > Pass::MAX_HANDLES {
        tracing::warn!(
            services = entries.len(),
            most = Pass::MAX_HANDLES,
            "catalogue was cut for a caller"
        );
        entries.truncate(Pass::MAX_HANDLES);
    }
    let catalogue = entries
        .iter()
        .map(|entry| CatalogueEntry {
            jws: entry.jws.clone(),
            handle: entry.handle,
            outlets: entry.outlets.clone(),
        })
        .collect();
    (entries, catalogue)
}
