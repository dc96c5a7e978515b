//! The relay links that are up right now, for whoever needs one: today that is the tunnel to the provider's keys.
//! A link taken from here may end at any moment; whoever uses one tries the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidegate_link::provider::{FetchError, Way};
use tidegate_link::{RelayLink, circuit};
use tidegate_proto::names::HubAddress;
use tokio::net::TcpStream;
use tokio::sync::watch;

const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Live links by their relay's address.
pub(crate) struct Links {
    live: Mutex<BTreeMap<HubAddress, Arc<RelayLink>>>,
    count: watch::Sender<usize>,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self {
            live: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    pub(crate) fn add(&self, relay: HubAddress, link: Arc<RelayLink>) {
        let mut live = self.live();
        live.insert(relay, link);
        self.count.send_replace(live.len());
    }

    pub(crate) fn remove(&self, relay: &HubAddress) {
        let mut live = self.live();
        live.remove(relay);
        self.count.send_replace(live.len());
    }

    /// How many are up, as it changes.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<HubAddress, Arc<RelayLink>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tunnel(&self) -> Result<TcpStream, FetchError> {
        let links: Vec<_> = self
            .live()
            .iter()
            .map(|(relay, link)| (relay.clone(), Arc::clone(link)))
            .collect();
        for (relay, link) in links {
            let Ok(token) = link.key_tunnel().await else {
                continue;
            };
            if let Ok(tcp) = circuit(&relay, token, DIAL_LIMIT).await {
                return Ok(tcp);
            }
        }
        Err(FetchError::NoWay)
    }
}

/// How the provider's key host is reached.
pub(crate) enum KeyWay {
    /// Through any relay that is up.
    Tunnel(Arc<Links>),
    /// By an own connection.
    Direct(HubAddress),
}

impl Way for KeyWay {
    type Io = TcpStream;

    async fn open(&self) -> Result<TcpStream, FetchError> {
        match self {
            Self::Tunnel(links) => links.tunnel().await,
            Self::Direct(host) => tidegate_link::dial(host, DIAL_LIMIT)
                .await
                .map_err(|_| FetchError::NoWay),
        }
    }
}
