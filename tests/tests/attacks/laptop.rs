//! A person's laptop, honest or not: what the authority gave it, a link to the relay, and circuits made as the agent makes them.
//! A thief is a laptop with one thing that is not its own.

use std::time::{Duration, Instant};

use tidegate_link::{LinkError, Portal, RelayLink, Secure};
use tidegate_proto::{
    api::CredentialAnswer,
    auth::{Auth, prove},
    channel::{CircuitToken, HandshakeHash},
    identity::NoisePublic,
    names::HubAddress,
    statement::ServiceHandle,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Device;
use crate::company::{Company, acme, within};
pub(crate) use crate::papers::{Said, handshake, link_key, present};

pub(crate) struct Laptop {
    pub(crate) device: Device,
    pub(crate) sub: String,
    pub(crate) token: String,
    pub(crate) answer: CredentialAnswer,
    pub(crate) link: RelayLink,
    address: HubAddress,
    outlet: NoisePublic,
}

impl Laptop {
    pub(crate) async fn start(company: &Company, sub: &str, groups: &[&str]) -> Self {
        let device = company.device(sub).await;
        let token = company.token(&device, sub, groups);
        let answer = company.api().await.credential(&device, &token).await;
        let answer = answer.unwrap();
        let link = relay_link(company, answer.pass.clone()).await.unwrap();
        Self {
            device,
            sub: sub.to_owned(),
            token,
            answer,
            link,
            address: company.address.clone(),
            outlet: company.outlet_keys.noise.public(),
        }
    }

    /// The relay's word for the first service that the person sees.
    pub(crate) fn handle(&self) -> ServiceHandle {
        self.answer.services[0].handle
    }

    /// A circuit to the warehouse over whoever listens at `way`, handshaken.
    pub(crate) async fn handshake_over(&self, way: &HubAddress) -> Result<Secure, LinkError> {
        let token = self.link.open(self.handle()).await?;
        handshake(way, token, "warehouse", self.outlet).await
    }

    pub(crate) async fn handshake(&self) -> Result<Secure, LinkError> {
        self.handshake_over(&self.address).await
    }

    pub(crate) fn auth(&self, hash: &HandshakeHash) -> Auth {
        Auth {
            service: "warehouse".parse().unwrap(),
            credential: self.answer.credential.clone(),
            id_token_0: self.token.clone(),
            rz: self.device.rz,
            identity: self.device.identity.verify_key(),
            id_token_n: None,
            enrolment: None,
            grant: None,
            signature: prove(hash, &self.device.identity),
        }
    }

    /// A running portal to the warehouse over whoever listens at `way`; every answer that is not the one hoped for is an error.
    pub(crate) async fn portal_over(&self, way: &HubAddress) -> Result<Portal, LinkError> {
        let token = self.link.open(self.handle()).await?;
        self.portal_with(token, way).await
    }

    /// The same with a token that was asked for before.
    pub(crate) async fn portal_with(
        &self,
        token: CircuitToken,
        way: &HubAddress,
    ) -> Result<Portal, LinkError> {
        let mut secure = handshake(way, token, "warehouse", self.outlet).await?;
        let auth = self.auth(&secure.hash);
        let said = present(&mut secure, &auth).await;
        match said.last() {
            Some(Said::Opened) => Ok(Portal::new(secure)),
            _ => Err(LinkError::OutOfTurn),
        }
    }

    pub(crate) async fn portal(&self) -> Portal {
        within(self.portal_over(&self.address)).await.unwrap()
    }

    /// The whole way there and back: the `came`th visitor of the target.
    pub(crate) async fn works(&self, came: usize, company: &Company) {
        let mut portal = self.portal().await;
        echoes(&mut portal).await;
        portal.shutdown().await.unwrap();
        let mut rest = String::new();
        within(portal.read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "goodbye");
        assert_eq!(company.target.came(), came);
    }

    pub(crate) async fn shutdown(self) {
        within(self.link.shutdown()).await;
    }
}

pub(crate) async fn echoes(portal: &mut Portal) {
    portal.write_all(b"hello").await.unwrap();
    portal.flush().await.unwrap();
    let mut answer = [0; 5];
    within(portal.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"hello");
}

pub(crate) async fn relay_link(company: &Company, pass: String) -> Result<RelayLink, LinkError> {
    let relay = company.relay_key().public();
    RelayLink::connect(&company.address, relay, &link_key(), &acme(), pass).await
}

/// Runs `act` and says how long it took.
pub(crate) async fn timed<T>(act: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = act.await;
    (done, begun.elapsed())
}
