//! Keeps one link to each relay that the catalogue names for our services, and hands on what is offered over them.
//! Links come and go without touching a running portal: each portal has a connection of its own.

use crate::keys::OutletKeys;
use crate::links::Links;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::{Backoff, LinkError, Pulse, RelayLink};
use tidegate_proto::api::CatalogueEntry;
use tidegate_proto::channel::{CircuitToken, HandshakeHash};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::{NoisePublic, NoiseSecret};
use tidegate_proto::names::{HubAddress, OrgName, ServiceName};
use tidegate_proto::wire::chain::OutletChain;
use tidegate_proto::wire::link::{RelayRefusal, ServiceHandle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A link that lived this long did not fail at once: the next wait is the shortest again.
const SETTLED: Duration = Duration::from_secs(30);
/// The least time that a relay has to show that it is there. A laptop asks for less: here a link that was left for nothing
/// costs everybody a moment without an outlet.
const ANSWER: Duration = Duration::from_secs(3);

/// What the authority lets us say at relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) pass: String,
    /// What the root says of us, for relays while the authority is away.
    pub(crate) roots: Vec<String>,
    pub(crate) entries: Vec<CatalogueEntry>,
    pub(crate) names: BTreeMap<ServiceHandle, ServiceName>,
    pub(crate) relays: BTreeSet<RelayAt>,
}

/// One relay, and the key it must have.
pub(crate) type RelayAt = (HubAddress, NoisePublic);

/// Somebody asks for a service of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) relay: HubAddress,
    pub(crate) service: ServiceName,
    pub(crate) token: CircuitToken,
}

/// What every link needs.
pub(crate) struct Relays {
    pub(crate) org: OrgName,
    pub(crate) keys: Arc<OutletKeys>,
    /// Ours at relays; made at each start and bound into the pass.
    pub(crate) link_key: Arc<NoiseSecret>,
    pub(crate) links: Arc<Links>,
    pub(crate) offers: mpsc::Sender<Offer>,
    pub(crate) registration: watch::Receiver<Option<Arc<Registration>>>,
}

impl Relays {
    /// Follows the registration until `stop`; every link has ended when this returns.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut registration = this.registration.clone();
        let mut running: BTreeMap<RelayAt, CancellationToken> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        loop {
            let wanted = registration
                .borrow_and_update()
                .as_ref()
                .map(|r| r.relays.clone())
                .unwrap_or_default();
            running.retain(|relay, stop| {
                wanted.contains(relay) || {
                    stop.cancel();
                    false
                }
            });
            for relay in wanted {
                running.entry(relay.clone()).or_insert_with(|| {
                    let stop = stop.child_token();
                    tasks.spawn(Arc::clone(&this).keep(relay, stop.clone()));
                    stop
                });
            }
            let changed = stop.run_until_cancelled(registration.changed()).await;
            if !matches!(changed, Some(Ok(()))) {
                break;
            }
        }
        stop.cancelled().await;
        while tasks.join_next().await.is_some() {}
    }

    /// One relay, for as long as it is wanted.
    async fn keep(self: Arc<Self>, relay: RelayAt, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut registration = self.registration.clone();
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let Some(error) = stop
                .run_until_cancelled(self.connect_and_serve(&relay))
                .await
            else {
                break;
            };
            self.links.remove(&relay.0);
            if begun.elapsed() > SETTLED {
                backoff.reset();
            }
            let wait = backoff.next(&SystemEntropy);
            tracing::warn!(relay = %relay.0, %error, ?wait, "relay link was lost");
            registration.mark_unchanged();
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                // The authority is back, and a relay may be with it.
                Ok(()) = registration.changed() => {}
            }
        }
        self.links.remove(&relay.0);
    }

    async fn connect_and_serve(&self, relay: &RelayAt) -> LinkError {
        let Some(registration) = self.registration.borrow().clone() else {
            return LinkError::Lost;
        };
        let (address, key) = relay;
        let pass = registration.pass.clone();
        let linked = match RelayLink::connect(address, *key, &self.link_key, &self.org, pass).await
        {
            Err(LinkError::Refused(RelayRefusal::Pass)) => {
                self.by_chain(relay, &registration).await
            }
            linked => linked,
        };
        let link = match linked {
            Ok(link) => Arc::new(link),
            Err(error) => return error,
        };
        tracing::info!(relay = %address, "outlet was registered at a relay");
        self.links.add(address.clone(), Arc::clone(&link));
        self.serve(address, &link, registration).await
    }

    /// The pass has run out and the authority gives no other: the root's word must do.
    async fn by_chain(
        &self,
        (address, key): &RelayAt,
        registration: &Registration,
    ) -> Result<RelayLink, LinkError> {
        let Registration {
            pass,
            roots,
            entries,
            ..
        } = registration.clone();
        let prove = |hash: &HandshakeHash| {
            OutletChain::prove(roots, entries, pass, hash, &self.keys.identity)
                .encode()
                .unwrap_or_default()
        };
        RelayLink::connect_by_chain(address, *key, &self.link_key, &self.org, prove).await
    }

    async fn serve(
        &self,
        relay: &HubAddress,
        link: &RelayLink,
        shown: Arc<Registration>,
    ) -> LinkError {
        let mut registration = self.registration.clone();
        let mut shown = shown;
        let pulse = Pulse::new(ANSWER);
        let mut silent = std::pin::pin!(pulse.stops(link, || true));
        loop {
            tokio::select! {
                error = link.closed() => return error,
                // Nobody is let in over a link that is dead and does not know it.
                () = &mut silent => return LinkError::TimedOut,
                offer = link.incoming() => match offer {
                    Some((handle, token)) => self.hand_on(relay, &shown, handle, token),
                    None => return link.closed().await,
                },
                Ok(()) = registration.changed() => {
                    let Some(newer) = registration.borrow_and_update().clone() else { continue };
                    if newer.pass != shown.pass
                        && let Err(error) = link.new_pass(newer.pass.clone()).await
                    {
                        return error;
                    }
                    shown = newer;
                }
            }
        }
    }

    /// An offer that nobody has room for runs out at the relay by itself.
    fn hand_on(
        &self,
        relay: &HubAddress,
        shown: &Registration,
        handle: ServiceHandle,
        token: CircuitToken,
    ) {
        let Some(service) = shown.names.get(&handle) else {
            tracing::debug!(%handle, "circuit for an unknown handle was not taken");
            return;
        };
        let offer = Offer {
            relay: relay.clone(),
            service: service.clone(),
            token,
        };
        if self.offers.try_send(offer).is_err() {
            tracing::warn!(%service, "circuit was not taken, too many are waiting");
        }
    }
}
