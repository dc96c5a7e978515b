//! Papers as they are made and shown: credentials and passes by whoever holds the key, a handshake, AUTH and OPEN.
//! Nothing here knows the company; a thief brings his own way, keys and words.

use std::time::Duration;

use tidegate_link::{LinkError, Secure, circuit, initiate, now};
use tidegate_proto::{
    auth::Auth,
    channel::{CircuitToken, Prologue, Suite},
    frame::{Frame, Open, Purpose},
    identity::{NoisePublic, NoiseSecret, SigningKey, VerifyKey},
    names::{HubAddress, OrgName},
    statement::{Assurance, Credential, Pass, PassRole, ServiceHandle, Statement},
};
use tokio::time::timeout;

pub(crate) fn acme() -> OrgName {
    "acme".parse().unwrap()
}

/// Nothing in these tests takes this long unless it hangs.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what)
        .await
        .expect("it takes far too long")
}

/// As `client::Device` gives it to the authority.
pub(crate) fn link_key() -> NoiseSecret {
    NoiseSecret::from_bytes(&[5; 32])
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
    present_with(secure, auth, &[]).await
}

/// The same for a program that said `first` first.
pub(crate) async fn present_with(secure: &mut Secure, auth: &Auth, first: &[u8]) -> Vec<Said> {
    let record = auth.encode().unwrap();
    let open = Frame::Open(Open {
        portal: 1,
        process: 1,
        purpose: Purpose::Connect,
        grant: None,
        first,
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
