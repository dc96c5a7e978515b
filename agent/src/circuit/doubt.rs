//! When what carries a portal may be dead without knowing it: a link to its relay has broken, and nothing was heard since.
//! The portal's own link counts from the moment its circuit was asked for: it may have broken before anybody kept the portal.

use std::future::pending;
use std::net::IpAddr;

use tidegate_link::LinkState;
use tidegate_proto::names::HubAddress;
use tokio::sync::watch;

use super::links::Links;
use crate::network::is_ours;

/// Over what a circuit came.
#[derive(Clone)]
pub(crate) struct Road {
    pub(crate) relay: HubAddress,
    /// The link that it was asked for on.
    pub(crate) link: watch::Receiver<LinkState>,
    /// The address of ours that the link stands on, and most likely the circuit too.
    pub(crate) from: Option<IpAddr>,
}

impl Road {
    /// Whether it stands on an address that the computer has no more: nothing will ever come over it. The system may have
    /// changed that a moment ago and not told yet.
    pub(super) fn is_gone(&self) -> bool {
        self.from.is_some_and(|from| !is_ours(from))
    }

    /// Resolves once the link has been closed. Safe to abandon.
    pub(super) async fn breaks(&self) {
        closed(&mut Some(self.link.clone())).await;
    }
}

/// Doubts about what carries one portal, one after the other.
pub(super) struct Doubt {
    relay: HubAddress,
    /// Until it has broken.
    link: Option<watch::Receiver<LinkState>>,
    /// All links to the relay from now on.
    broken: Option<watch::Receiver<u64>>,
}

impl Doubt {
    pub(super) fn about(road: Road, links: &Links) -> Self {
        Self {
            broken: links.broken(&road.relay),
            relay: road.relay,
            link: Some(road.link),
        }
    }

    /// Resolves when it is time to ask whether the other end is there. Safe to abandon.
    pub(super) async fn rises(&mut self, links: &Links) {
        let gone = tokio::select! {
            () = closed(&mut self.link) => {
                self.link = None;
                false
            }
            gone = breaks(&mut self.broken) => gone,
        };
        if gone {
            self.broken = links.broken(&self.relay);
        }
    }
}

/// Resolves when a link has been closed, be it before now.
async fn closed(link: &mut Option<watch::Receiver<LinkState>>) {
    match link {
        Some(link) => {
            // Whoever told of it is gone with it.
            let _ = link
                .wait_for(|state| matches!(state, LinkState::Closed(_)))
                .await;
        }
        None => pending().await,
    }
}

/// Resolves when a link breaks; whether nobody tells of others.
async fn breaks(broken: &mut Option<watch::Receiver<u64>>) -> bool {
    match broken {
        Some(broken) => broken.changed().await.is_err(),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use tidegate_link::LinkError;
    use tidegate_proto::entropy::SystemEntropy;
    use tidegate_proto::identity::NoiseSecret;

    fn no_links() -> Links {
        let noise = Arc::new(NoiseSecret::generate(&SystemEntropy));
        Links::new("acme".parse().unwrap(), noise)
    }

    fn road(relay: HubAddress, link: watch::Receiver<LinkState>) -> Road {
        Road {
            relay,
            link,
            from: None,
        }
    }

    #[tokio::test]
    async fn a_link_that_broke_before_anybody_kept_the_portal_raises_one_doubt() {
        let links = no_links();
        let (state, link) = watch::channel(LinkState::Up);
        let relay = HubAddress::new("relay.example", 7443).unwrap();
        state.send_replace(LinkState::Closed(LinkError::Lost));

        let mut doubt = Doubt::about(road(relay, link), &links);

        assert_eq!(doubt.rises(&links).now_or_never(), Some(()));
        assert_eq!(doubt.rises(&links).now_or_never(), None);
    }

    #[tokio::test]
    async fn a_link_that_stands_or_only_takes_nothing_new_raises_none() {
        let links = no_links();
        let (state, link) = watch::channel(LinkState::Up);
        let relay = HubAddress::new("relay.example", 7443).unwrap();
        let mut doubt = Doubt::about(road(relay, link), &links);

        assert_eq!(doubt.rises(&links).now_or_never(), None);
        state.send_replace(LinkState::Draining);
        assert_eq!(doubt.rises(&links).now_or_never(), None);
        state.send_replace(LinkState::Closed(LinkError::Lost));
        assert_eq!(doubt.rises(&links).now_or_never(), Some(()));
    }

    #[test]
    fn what_stands_on_an_address_that_the_computer_has_not_is_gone() {
        let (_state, link) = watch::channel(LinkState::Up);
        let from = |address: &str| Road {
            from: address.parse().ok(),
            ..road(
                HubAddress::new("relay.example", 7443).unwrap(),
                link.clone(),
            )
        };

        assert!(from("203.0.113.7").is_gone());
        assert!(!from("127.0.0.1").is_gone());
        assert!(!from("not known").is_gone());
    }
}
