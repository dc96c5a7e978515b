//! Building one circuit: the relay is asked for it and dialled, the outlet's key is proved, and AUTH is sent.
//! What goes wrong with the relay is told apart from what goes wrong with the outlet: only the first doubts the link.

use std::sync::Arc;
use std::time::Duration;

use tidegate_link::{LinkError, RelayLink, Secure, circuit, initiate};
use tidegate_proto::channel::{ChannelError, CircuitToken, Pinned, Prologue, Suite};
use tidegate_proto::frame::Frame;
use tidegate_proto::grant::Grant;
use tidegate_proto::identity::{NoisePublic, NoiseSecret};
use tidegate_proto::names::{HubAddress, ServiceName};
use tokio::net::TcpStream;

use super::admitted::{Circuit, CircuitError, Roots};
use super::doubt::Road;
use crate::hub::access::{Access, Listing};
use crate::network::left;

const DIAL_LIMIT: Duration = Duration::from_secs(8);

/// Everything needed to build one circuit.
pub(crate) struct Plan<'a> {
    pub(crate) access: &'a Arc<Access>,
    pub(crate) listing: &'a Listing,
    pub(crate) noise: &'a NoiseSecret,
    pub(crate) relay: &'a HubAddress,
    pub(crate) link: &'a Arc<RelayLink>,
    pub(crate) grant: Option<Arc<Grant>>,
    /// The only outlet that will do, where it matters which.
    pub(crate) only: Option<NoisePublic>,
    /// As outlets are told.
    pub(crate) process: u64,
}

/// A way through a relay that an outlet was offered, too.
pub(crate) struct Offered {
    tcp: TcpStream,
    token: CircuitToken,
}

impl Plan<'_> {
    /// Asks the relay and dials it: what goes wrong here is between us and the relay.
    pub(crate) async fn reach(&self) -> Result<Offered, CircuitError> {
        let token = self.link.open(self.listing.handle).await?;
        let tcp = circuit(self.relay, token, DIAL_LIMIT).await?;
        Ok(Offered { tcp, token })
    }

    /// Handshakes with whichever of the service's outlets answers, and sends AUTH; not from an address that is gone meanwhile.
    pub(crate) async fn circuit(&self, offered: Offered) -> Result<Circuit, CircuitError> {
        let service = &self.listing.statement.service;
        let from = offered.tcp.local_addr().map(|local| local.ip()).ok();
        let proved = tokio::select! {
            proved = self.handshake(service, offered) => proved,
            () = left(from) => Err(LinkError::Lost),
        };
        match proved {
            Ok(secure) => self.authenticate(service, secure).await,
            Err(error) => {
                if error == LinkError::Channel(ChannelError::UnexpectedPeer) && self.only.is_none()
                {
                    tracing::warn!(%service, "outlet answered with another key");
                }
                Err(error.into())
            }
        }
    }

    /// The relay gives one of several outlets, each in turn: all of their keys are as good, unless one has what is wanted.
    async fn handshake(
        &self,
        service: &ServiceName,
        Offered { tcp, token }: Offered,
    ) -> Result<Secure, LinkError> {
        let outlets = self.listing.statement.outlets.iter();
        let keys = outlets.map(|outlet| outlet.noise);
        let pinned: Pinned = keys
            .filter(|key| self.only.is_none_or(|only| only == *key))
            .collect();
        initiate(tcp, &self.prologue(service, token), self.noise, pinned).await
    }

    fn prologue(&self, service: &ServiceName, token: CircuitToken) -> Prologue {
        Prologue::portal(suite(), self.access.org.clone(), service.clone(), token)
    }

    async fn authenticate(
        &self,
        service: &ServiceName,
        mut secure: Secure,
    ) -> Result<Circuit, CircuitError> {
        let record = self
            .access
            .auth(service, &secure.hash, self.grant.as_deref())
            .map_err(CircuitError::Refused)?;
        secure.send(&Frame::Auth(&record)).await?;
        let roots = Roots {
            service: service.clone(),
            access: Arc::clone(self.access),
            road: Road {
                relay: self.relay.clone(),
                link: self.link.state(),
                from: self.link.from(),
            },
            grant: self.grant.clone(),
            process: self.process,
        };
        Ok(Circuit::asked_for(secure, roots))
    }
}

/// AES where the processor has it, ChaCha elsewhere.
fn suite() -> Suite {
    #[cfg(target_arch = "x86_64")]
    let fast = std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let fast = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let fast = false;
    if fast {
        Suite::Aes256Gcm
    } else {
        Suite::ChaCha20Poly1305
    }
}
