//! The client of the authority's API: first what the hub says about itself, checked against the pinned root, then a stream.
//! The hello is in clear; it counts only because the handshake succeeds with the key that the root signed in it.

use crate::{LinkError, Preface, SecureStream, dial, initiate, now, preface};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;
use tidegate_proto::{
    api::Hello,
    channel::{HandshakeHash, Prologue, Suite},
    identity::{NoiseSecret, PeerId},
    names::{HubAddress, OrgName},
    statement::AuthorityStatement,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long dialling may take.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// How long the hub may take to introduce itself.
const HELLO_LIMIT: Duration = Duration::from_secs(10);

/// A handshaken connection to the authority.
pub struct ApiConnection {
    /// Carries HTTP/1.1.
    pub stream: SecureStream,
    /// What the hub said about itself, verified.
    pub hello: Hello,
    /// The statement in it by which this authority speaks.
    pub authority: AuthorityStatement,
    /// Names this connection in proofs of possession.
    pub hash: HandshakeHash,
    /// Which address of ours it stands on; `None` when it was gone as soon as it was there.
    pub from: Option<IpAddr>,
}

impl ApiConnection {
    /// Dials the hub at `addr` and handshakes with the authority that the root named by `root` has certified.
    ///
    /// # Errors
    /// `WrongHub` when the hub's own words do not follow from that root; else how the connection failed.
    pub async fn connect(
        addr: &HubAddress,
        org: &OrgName,
        root: PeerId,
        local: &NoiseSecret,
    ) -> Result<Self, LinkError> {
        let mut tcp = dial(addr, DIAL_LIMIT).await?;
        let from = tcp.local_addr().map(|local| local.ip()).ok();
        preface(&mut tcp, Preface::Api).await?;
        let hello = timeout(HELLO_LIMIT, read_hello(&mut tcp))
            .await
            .map_err(|_| LinkError::TimedOut)??;
        let authority = hello
            .verify(root, org, now())
            .map_err(LinkError::WrongHub)?;
        let prologue = Prologue::api(Suite::Aes256Gcm, org.clone());
        let stream = initiate(tcp, &prologue, local, authority.noise)
            .await?
            .into_stream();
        Ok(Self {
            hash: stream.hash,
            stream,
            hello,
            authority,
            from,
        })
    }
}

/// Introduces the hub on an accepted connection; the handshake follows.
///
/// # Errors
/// When the connection fails, and when the hello is longer than its 16-bit length can say.
///
/// # Panics
/// Never: a hello is plain data.
pub async fn say_hello(tcp: &mut TcpStream, hello: &Hello) -> Result<(), LinkError> {
    let json = serde_json::to_vec(hello).expect("a hello is plain data");
    // A chain of very many roots: an operator's trouble, and no reason to die.
    let length = u16::try_from(json.len()).map_err(|_| LinkError::Io(ErrorKind::InvalidInput))?;
    Ok(tcp
        .write_all(&[&length.to_be_bytes(), &json[..]].concat())
        .await?)
}

async fn read_hello(tcp: &mut TcpStream) -> Result<Hello, LinkError> {
    let mut json = vec![0; usize::from(tcp.read_u16().await?)];
    tcp.read_exact(&mut json).await?;
    Hello::parse(&json).map_err(LinkError::WrongHub)
}
