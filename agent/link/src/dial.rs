//! Outgoing TCP connections, and the socket options that every connection of ours has.
//! A dial always ends: the limit covers the name lookup as well.

use crate::{LinkError, Preface, preface};
use futures_util::{StreamExt, stream::FuturesUnordered};
use socket2::{SockRef, TcpKeepalive};
use std::{io, net::SocketAddr, time::Duration};
use tidegate_proto::{channel::CircuitToken, names::HubAddress};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{sleep, timeout},
};

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;
/// How long a knock goes unanswered before the next one. The system knocks again by itself, but waits twice as long each time:
/// whoever comes back into reach between two of those would be found seconds later.
const KNOCK: Duration = Duration::from_secs(1);

/// Connects to `addr` within `limit`, trying each address that its name has.
///
/// # Errors
/// The last address's failure; `TimedOut` when the limit passes first.
pub async fn dial(addr: &HubAddress, limit: Duration) -> Result<TcpStream, LinkError> {
    timeout(limit, dial_each(addr, limit))
        .await
        .map_err(|_| LinkError::TimedOut)?
}

async fn dial_each(addr: &HubAddress, limit: Duration) -> Result<TcpStream, LinkError> {
    let mut failure = LinkError::Unresolved;
    let found = lookup_host((addr.host(), addr.port()))
        .await
        .map_err(|_| LinkError::Unresolved)?;
    let found: Vec<_> = found.take(MOST_ADDRESSES).collect();
    // An address that swallows everything must not use up the time of those after it.
    let share = limit / u32::try_from(found.len().max(1)).unwrap_or(1);
    for candidate in found {
        match timeout(share, knock(candidate)).await {
            Ok(Ok(tcp)) => {
                tune(&tcp)?;
                return Ok(tcp);
            }
            Ok(Err(error)) => failure = error.into(),
            Err(_) => failure = LinkError::TimedOut,
        }
    }
    Err(failure)
}

/// Connects to one address, by whichever knock is answered first.
async fn knock(address: SocketAddr) -> io::Result<TcpStream> {
    let mut knocks = FuturesUnordered::new();
    loop {
        knocks.push(TcpStream::connect(address));
        tokio::select! {
            Some(answered) = knocks.next() => return answered,
            () = sleep(KNOCK) => {}
        }
    }
}

/// Dials a relay for the circuit that `token` names.
///
/// # Errors
/// When the relay cannot be reached. A refused token shows only as a lost connection later.
pub async fn circuit(
    addr: &HubAddress,
    token: CircuitToken,
    limit: Duration,
) -> Result<TcpStream, LinkError> {
    let mut tcp = dial(addr, limit).await?;
    preface(&mut tcp, Preface::Circuit(token)).await?;
    Ok(tcp)
}

/// No delay for small records, and keepalive so that a vanished peer is noticed within about a minute.
///
/// # Errors
/// When the socket is already broken.
pub fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(20))
        .with_interval(Duration::from_secs(10));
    SockRef::from(tcp).set_tcp_keepalive(&keepalive.with_retries(3))
}

/// Ends a plain TCP connection so that its peer sees a reset and not a clean end.
pub fn abort(tcp: TcpStream) {
    // Nothing is left to do for a socket that refuses the option: dropping it closes it.
    let _ = SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn every_connection_of_ours_asks_a_silent_peer_whether_it_is_still_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();

        let dialled = dial(&address.parse().unwrap(), Duration::from_secs(5)).await;

        let tcp = dialled.unwrap();
        let socket = SockRef::from(&tcp);
        assert!(tcp.nodelay().unwrap() && socket.keepalive().unwrap());
        let silence = socket.tcp_keepalive_time().unwrap();
        let asking = socket.tcp_keepalive_interval().unwrap();
        let patience = silence + asking * socket.tcp_keepalive_retries().unwrap();
        assert!(patience <= Duration::from_secs(60), "{patience:?}");
    }
}
