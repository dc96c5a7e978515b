//! Two ends of a handshaken connection on loopback, and what tests put between them.
//! Real sockets, real keys: only the middle is ours.
#![allow(clippy::unwrap_used, dead_code)]

use tidegate_link::{Portal, Secure, initiate, respond};
use tidegate_proto::{
    channel::{CircuitToken, Prologue, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
};
use tokio::net::{TcpListener, TcpStream};

/// Two ends of one TCP connection.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    for tcp in [&dialled, &accepted] {
        tidegate_link::tune(tcp).unwrap();
    }
    (dialled, accepted)
}

pub(crate) fn prologue(suite: Suite) -> Prologue {
    Prologue::portal(
        suite,
        "acme".parse().unwrap(),
        "warehouse".parse().unwrap(),
        CircuitToken([7; 16]),
    )
}

/// Handshakes over two connections that are joined somehow.
pub(crate) async fn handshake(
    agent: TcpStream,
    outlet: TcpStream,
    suite: Suite,
) -> (Secure, Secure) {
    let (ours, theirs) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let believed = prologue(suite);
    let (agent, outlet) = tokio::join!(
        initiate(agent, &believed, &ours, theirs.public()),
        respond(outlet, prologue, &theirs)
    );
    (agent.unwrap(), outlet.unwrap())
}

pub(crate) async fn secure_pair() -> (Secure, Secure) {
    let (agent, outlet) = tcp_pair().await;
    handshake(agent, outlet, Suite::Aes256Gcm).await
}

pub(crate) async fn portal_pair() -> (Portal, Portal) {
    let (agent, outlet) = secure_pair().await;
    (Portal::new(agent), Portal::new(outlet))
}

/// Bytes that show any loss, repetition or change.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64)
        .flat_map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes())
        .take(length)
        .collect()
}
