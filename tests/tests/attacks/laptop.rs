//! A person's laptop, honest or not: what the authority gave it, a link to the relay, and circuits made as the agent makes them.
//! A thief is a laptop with one thing that is not its own.

use std::time::{Duration, Instant};

use tidegate_link::{LinkError, Portal, RelayLink, Secure, circuit, initiate, now};
use tidegate_proto::{
    api::CredentialAnswer,
    auth::{Auth, prove},
    channel::{CircuitToken, HandshakeHash, Prologue, Suite},
    frame::{Frame, Open, Purpose},
    identity::{NoisePublic, NoiseSecret, SigningKey, VerifyKey},
    names::HubAddress,
    statement::{Assurance, Credential, Pass, PassRole, ServiceHandle, Statement},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Device;
use crate::company::{Company, acme, within};

/// As `client::Device` gives it to the authority.
pub(crate) fn link_key() -> NoiseSecret {
    NoiseSecret::from_bytes(&[5; 32])
}

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

pub(crate) async fn handshake(
    way: &HubAddress,
    token: CircuitToken,
    service: &str,
    outlet: NoisePublic,
) -> Result<Secure, LinkError> {
    let tcp = circuit(way, token, Duration::from_secs(5)).await?;
    let service = service.parse().unwrap();
    let prologue = Prologue::portal(Suite::Aes256Gcm, acme(), service, token);
    initiate(tcp, &prologue, &link_key(), outlet).await
}

/// What an outlet said, with the length of the record it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Admitted,
    Opened,
    Refused(u16, String, usize),
    Other(String),
    Ended,
}

/// AUTH and OPEN in one flight, as the agent sends them; everything that is said up to a yes, a no, or the end.
pub(crate) async fn present(secure: &mut Secure, auth: &Auth) -> Vec<Said> {
    let record = auth.encode().unwrap();
    let open = Frame::Open(Open {
        portal: 1,
        purpose: Purpose::Connect,
        grant: None,
        first: &[],
    });
    let mut said = Vec::new();
    for frame in [Frame::Auth(&record), open] {
        if secure.send(&frame).await.is_err() {
            break;
        }
    }
    loop {
        let next = match within(secure.recv_record()).await {
            Err(_) => Said::Ended,
            Ok(record) => match Frame::decode(&record) {
                Ok(Frame::Admitted { .. }) => Said::Admitted,
                Ok(Frame::Opened { .. }) => Said::Opened,
                Ok(Frame::Refused { code, text }) => {
                    Said::Refused(code, text.to_owned(), record.len())
                }
                other => Said::Other(format!("{other:?}")),
            },
        };
        said.push(next.clone());
        let final_no = said.contains(&Said::Admitted) && matches!(next, Said::Refused(..));
        if final_no || matches!(next, Said::Ended | Said::Opened) {
            return said;
        }
    }
}

/// A credential as the authority would sign it, signed by whoever has its key.
pub(crate) fn minted(signer: &SigningKey, sub: &str, holder: &VerifyKey) -> String {
    let credential = Credential {
        org: acme(),
        sub: sub.parse().unwrap(),
        cnf: holder.peer_id(),
        device: "laptop".into(),
        epoch: 0,
        assurance: Assurance::High,
        not_before: now().minus(5),
        not_after: now().plus(500),
        id: "minted".into(),
    };
    credential.sign(signer)
}

/// A pass as the authority would sign it.
pub(crate) fn minted_pass(signer: &SigningKey, role: PassRole, handle: ServiceHandle) -> String {
    let pass = Pass {
        org: acme(),
        pseudonym: "nobody".into(),
        role,
        handles: vec![handle],
        cnf: link_key().public().fingerprint(),
        not_after: now().plus(500),
    };
    pass.sign(signer)
}

/// Runs `act` and says how long it took.
pub(crate) async fn timed<T>(act: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = act.await;
    (done, begun.elapsed())
}
