//! One link to each relay that serves this person's services, kept up by a task of its own.
//! A link is only a bell: losing it costs no running portal, so nobody but new portals waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join_all, select_ok};
use tidegate_link::{LinkError, Pulse, RelayLink};
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::names::{HubAddress, OrgName};
use tidegate_proto::statement::Relay;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::keeping::Keeping;
use crate::network::is_ours;

/// Most relays one agent keeps links to.
const MAX_RELAYS: usize = 8;
/// The least time that a relay has to show that it is there.
const ANSWER: Duration = Duration::from_secs(1);

/// What is known about the way to one relay.
#[derive(Clone)]
pub(super) enum Way {
    Connecting,
    Up(Arc<RelayLink>),
    Failed(LinkError),
}

/// All links of one agent.
pub(crate) struct Links {
    org: OrgName,
    noise: Arc<NoiseSecret>,
    pass: watch::Sender<Option<String>>,
    /// Rings when a way went silent, or stood on an address that is gone.
    lost: Arc<Notify>,
    keepers: Mutex<BTreeMap<HubAddress, Keeper>>,
}

/// The task that keeps one link up.
struct Keeper {
    relay: Relay,
    way: watch::Sender<Way>,
    /// Somebody wants a portal now: do not sit out the back-off.
    hurry: Arc<Notify>,
    /// The link may be dead without knowing it: make a new one.
    anew: Arc<Notify>,
    /// Counts links that broke: what goes over the same relay may be dead without knowing it.
    broken: watch::Sender<u64>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Links {
    pub(crate) fn new(org: OrgName, noise: Arc<NoiseSecret>) -> Self {
        Self {
            org,
            noise,
            pass: watch::Sender::new(None),
            lost: Arc::default(),
            keepers: Mutex::default(),
        }
    }

    /// Changes when the link to this relay breaks; none when there is none.
    pub(crate) fn broken(&self, relay: &HubAddress) -> Option<watch::Receiver<u64>> {
        let keepers = self.lock();
        Some(keepers.get(relay)?.broken.subscribe())
    }

    /// All links that are up now. Whoever holds one can go on asking over it when these have been ended.
    pub(crate) fn standing(&self) -> Vec<(HubAddress, Arc<RelayLink>)> {
        let keepers = self.lock();
        let up = |keeper: &Keeper| match &*keeper.way.borrow() {
            Way::Up(link) => Some((keeper.relay.address.clone(), Arc::clone(link))),
            Way::Connecting | Way::Failed(_) => None,
        };
        keepers.values().filter_map(up).collect()
    }

    /// Takes a new pass, and keeps links to exactly these relays.
    pub(crate) fn admit(&self, pass: String, relays: impl IntoIterator<Item = Relay>) {
        self.pass.send_replace(Some(pass));
        let mut keepers = self.lock();
        let mut wanted: BTreeMap<_, _> = relays
            .into_iter()
            .map(|relay| (relay.address.clone(), relay))
            .take(MAX_RELAYS)
            .collect();
        keepers.retain(|address, keeper| {
            let same = wanted.get(address) == Some(&keeper.relay);
            if same {
                wanted.remove(address);
            } else {
                keeper.stop.cancel();
            }
            same
        });
        for (address, relay) in wanted {
            keepers.insert(address, self.keep(relay));
        }
    }

    /// A link to the first of `relays` that is up, waiting up to `limit` for one.
    pub(crate) async fn up(
        &self,
        relays: &[Relay],
        limit: Duration,
    ) -> Result<(HubAddress, Arc<RelayLink>), LinkError> {
        self.leave(|address| !is_ours(address));
        let mut ways: Vec<_> = {
            let keepers = self.lock();
            let known = relays
                .iter()
                .filter_map(|relay| keepers.get(&relay.address));
            known
                .map(|k| {
                    (
                        k.relay.address.clone(),
                        k.way.subscribe(),
                        Arc::clone(&k.hurry),
                    )
                })
                .collect()
        };
        for (address, way, _) in &ways {
            if let Way::Up(link) = &*way.borrow() {
                return Ok((address.clone(), Arc::clone(link)));
            }
        }
        let waits = ways
            .iter_mut()
            .map(|(address, way, hurry)| Box::pin(wait_up(address, way, hurry)));
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return Err(LinkError::Lost);
        }
        match timeout(limit, select_ok(waits)).await {
            Ok(Ok((found, _))) => Ok(found),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(LinkError::TimedOut),
        }
    }

    /// Makes every link anew, after a sleep.
    pub(crate) fn distrust(&self) {
        self.lock().values().for_each(Keeper::distrust);
    }

    /// Makes links anew that stand on addresses which are gone; says whether there are any.
    pub(super) fn leave(&self, is_gone: impl Fn(IpAddr) -> bool) -> bool {
        let mut left = self.standing();
        left.retain(|(_, link)| link.from().is_some_and(&is_gone));
        left.iter().for_each(|(relay, _)| self.distrust_one(relay));
        if !left.is_empty() {
            self.lost.notify_one();
        }
        !left.is_empty()
    }

    /// Resolves when a way went silent, or stood on an address that is gone: what goes elsewhere over the same network may be
    /// dead without knowing it.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Nobody sits out a back-off: what made the last attempts fail may be over.
    pub(super) fn hurry(&self) {
        for keeper in self.lock().values() {
            if matches!(*keeper.way.borrow(), Way::Failed(_)) {
                keeper.hurry.notify_one();
            }
        }
    }

    /// Makes the link to this relay anew, which did not answer.
    pub(crate) fn distrust_one(&self, relay: &HubAddress) {
        if let Some(keeper) = self.lock().get(relay) {
            keeper.distrust();
        }
    }

    /// This relay did not answer. What broke may be all ways at once, as after a change of network: the others are asked
    /// whether they are there, and whoever is silent is made anew. Asking harms no link that is well.
    pub(crate) async fn ask_others(&self, silent: &HubAddress) {
        self.ask(Some(silent)).await;
    }

    /// Asks all but one whether they are there, and makes anew whoever is silent.
    pub(super) async fn ask(&self, but: Option<&HubAddress>) {
        let mut others = self.standing();
        others.retain(|(relay, _)| Some(relay) != but);
        let asked = others.iter().map(|(relay, link)| async move {
            if !link.answers(self.patience(relay)).await {
                self.distrust_one(relay);
            }
        });
        join_all(asked).await;
    }

    /// Ends all links; the future waits for their tasks. A later `admit` starts over.
    pub(crate) fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        self.pass.send_replace(None);
        let keepers = std::mem::take(&mut *self.lock());
        for keeper in keepers.values() {
            keeper.stop.cancel();
        }
        async move {
            for keeper in keepers.into_values() {
                let _ = keeper.task.await;
            }
        }
    }

    fn keep(&self, relay: Relay) -> Keeper {
        let way = watch::Sender::new(Way::Connecting);
        let (hurry, anew) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (broken, pulse) = (watch::Sender::default(), Arc::new(Pulse::new(ANSWER)));
        let stop = CancellationToken::new();
        let keeping = Keeping {
            org: self.org.clone(),
            noise: Arc::clone(&self.noise),
            relay: relay.clone(),
            pass: self.pass.subscribe(),
            publish: way.clone(),
            hurry: Arc::clone(&hurry),
            anew: Arc::clone(&anew),
            broken: broken.clone(),
            pulse: Arc::clone(&pulse),
            lost: Arc::clone(&self.lost),
        };
        let task = tokio::spawn(keeping.run(stop.clone()));
        Keeper {
            relay,
            way,
            hurry,
            anew,
            broken,
            pulse,
            stop,
            task,
        }
    }

    /// How long the way to this relay may take to show that it is there.
    pub(super) fn patience(&self, relay: &HubAddress) -> Duration {
        let keepers = self.lock();
        let known = keepers.get(relay).map(|keeper| keeper.pulse.patience());
        known.unwrap_or(ANSWER)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HubAddress, Keeper>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    fn distrust(&self) {
        let was_up = self.way.send_if_modified(|way| {
            let is_up = matches!(way, Way::Up(_));
            if is_up {
                *way = Way::Connecting;
            }
            is_up
        });
        if was_up {
            self.anew.notify_one();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for keeper in self
            .keepers
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            keeper.stop.cancel();
        }
    }
}

/// The next result of one way: up, or the failure of an attempt that began after we asked.
async fn wait_up(
    address: &HubAddress,
    way: &mut watch::Receiver<Way>,
    hurry: &Notify,
) -> Result<(HubAddress, Arc<RelayLink>), LinkError> {
    if matches!(*way.borrow_and_update(), Way::Failed(_)) {
        hurry.notify_one();
        way.changed().await.map_err(|_| LinkError::Lost)?;
    }
    let settled = way
        .wait_for(|way| !matches!(way, Way::Connecting))
        .await
        .map_err(|_| LinkError::Lost)?;
    match &*settled {
        Way::Up(link) => Ok((address.clone(), Arc::clone(link))),
        Way::Failed(error) => Err(*error),
        Way::Connecting => Err(LinkError::Lost),
    }
}
