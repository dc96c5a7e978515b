//! Two ends of a handshaken connection on loopback, and what tests put between them.
//! Real sockets, real keys: only the middle is ours.
#![allow(clippy::unwrap_used, dead_code)]

use std::time::Duration;
use tidegate_link::{Budget, Line, Meter, Portal, PortalControl, Secure, initiate, join, respond};
use tidegate_proto::{
    channel::{CircuitToken, Prologue, Suite},
    entropy::SystemEntropy,
    identity::NoiseSecret,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

/// Whoever is not done by then waits for ever.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

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

pub(crate) fn resumable(secure: Secure) -> Portal {
    Portal::resumable(secure, &Budget::new(64 << 20), |back| Some(back.circuit))
}

pub(crate) async fn pair() -> (Portal, Portal) {
    let (agent, outlet) = secure_pair().await;
    (resumable(agent), resumable(outlet))
}

/// Two ends whose middle dies when it is aborted, or after `life`.
pub(crate) async fn mortal_pair(life: Duration) -> (Secure, Secure, JoinHandle<()>) {
    let ((agent, mut near), (mut far, outlet)) = (tcp_pair().await, tcp_pair().await);
    let middle = tokio::spawn(async move {
        let meter = Meter::new();
        let _ = timeout(life, join(&mut near, &mut far, &meter)).await;
    });
    let (agent, outlet) = handshake(agent, outlet, Suite::Aes256Gcm).await;
    (agent, outlet, middle)
}

/// Both ends say what they have, and go on over `agent` and `outlet`.
pub(crate) fn go_on(ours: &PortalControl, theirs: &PortalControl, agent: Secure, outlet: Secure) {
    let (we_have, they_have) = (ours.detach().unwrap(), theirs.detach().unwrap());
    theirs.attach(outlet, we_have).unwrap();
    ours.attach(agent, they_have).unwrap();
}

pub(crate) async fn lost(control: &PortalControl) {
    let mut line = control.line();
    let gone = line.wait_for(|line| matches!(line, Line::Lost { .. }));
    timeout(LIMIT, gone).await.unwrap().unwrap();
}

pub(crate) trait NowOrPending: Future + Sized {
    /// Polls once; whether it has to wait.
    async fn now_or_pending(self) -> bool {
        timeout(Duration::from_millis(50), self).await.is_err()
    }
}

impl<F: Future> NowOrPending for F {}
