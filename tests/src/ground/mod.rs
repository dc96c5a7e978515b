//! The ground the stage stands on: three places joined by a network of our own, or plain loopback where that is forbidden.
//! Loopback proves less (no firewall, no distance, no separate users) and says so before the play begins.

mod harm;
mod link;
mod network;
mod tun;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

pub use link::{Harm, Link, Quality};
pub use network::{Closed, LAPTOP, Network, OUTLET, PLACES, namespaces_of};

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// Reachable by everybody: the provider and the hub.
    Internet,
    /// The laptop, far away from everything.
    Cafe,
    /// The database and the outlet, behind a firewall that lets nobody in.
    Private,
}

/// The one port of the hub, which is all that the private network may talk to.
pub const HUB_PORT: u16 = 7443;

/// The port of a relay of its own, which the private network may talk to only where there is one.
pub const RELAY_PORT: u16 = 7444;

pub enum Ground {
    Namespaces(Box<Network>),
    /// And why there are no namespaces.
    Loopback(String),
}

/// What a loopback run leaves unproven, in the words that are printed.
const LOOPBACK_DOES_NOT_PROVE: &[&str] = &[
    "that the database's network drops every inbound connection (there is no firewall here)",
    "that the provider's keys reach the outlet through the tunnel only (it could dial the provider directly)",
    "that it works 40 ms away (everything is on this machine)",
    "that the root key, hub, outlet and analyst are separate users (all run as you)",
    "that a port scan from the laptop finds nothing (there is one network)",
    "that another user of the laptop is refused at her port (there is one user)",
];

impl Ground {
    /// What whoever looks at a play has to know of where it is played: printed before it begins, whatever it is.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        match self {
            Self::Namespaces(_) => {
                vec!["Network: three namespaces of our own; the café is 40 ms away.".to_owned()]
            }
            Self::Loopback(why) => {
                let mut words = vec![
                    format!("Network: plain loopback, because {why}"),
                    "This run does NOT prove:".to_owned(),
                ];
                words.extend(
                    LOOPBACK_DOES_NOT_PROVE
                        .iter()
                        .map(|line| format!("- {line}")),
                );
                words
            }
        }
    }

    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        match self {
            Self::Namespaces(network) => Some(network),
            Self::Loopback(_) => None,
        }
    }

    #[must_use]
    pub fn hub(&self) -> IpAddr {
        self.pick(network::HUB)
    }

    /// Of the other company.
    #[must_use]
    pub fn beta_hub(&self) -> IpAddr {
        self.pick(network::BETA_HUB)
    }

    #[must_use]
    pub fn provider(&self) -> IpAddr {
        self.pick(network::PROVIDER)
    }

    #[must_use]
    pub fn database(&self) -> IpAddr {
        self.pick(network::DATABASE)
    }

    fn pick(&self, address: Ipv4Addr) -> IpAddr {
        IpAddr::V4(match self {
            Self::Namespaces(_) => address,
            Self::Loopback(_) => Ipv4Addr::LOCALHOST,
        })
    }

    /// A connection made from a place by a user, which is what the other end's kernel will say of it.
    ///
    /// # Errors
    /// What `connect` says.
    pub fn connect_as(
        &self,
        uid: Option<u32>,
        site: Site,
        to: SocketAddr,
        limit: Duration,
    ) -> std::io::Result<TcpStream> {
        let connect =
            move || crate::user::as_uid(uid, move || TcpStream::connect_timeout(&to, limit));
        match self {
            Self::Namespaces(network) => network.inside(site, connect)?,
            Self::Loopback(_) => connect(),
        }
    }

    /// A connection made from a place. The socket stays in that place's network, whoever uses it.
    ///
    /// # Errors
    /// What `connect` says.
    pub fn connect(
        &self,
        site: Site,
        to: SocketAddr,
        limit: Duration,
    ) -> std::io::Result<TcpStream> {
        match self {
            Self::Namespaces(network) => {
                network.inside(site, move || TcpStream::connect_timeout(&to, limit))?
            }
            Self::Loopback(_) => TcpStream::connect_timeout(&to, limit),
        }
    }
}
