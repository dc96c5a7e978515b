//! What the system tells about the computer's own addresses: another wifi, a cable, a phone. Each change is passed on once it
//! has settled; where the system tells nothing, or too late, what is connected is asked often enough to notice by itself.

use std::future::pending;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use futures_util::StreamExt;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use tokio::time::timeout;

use crate::circuit::Circuits;

/// Addresses come and go in bunches: so long after the last one it is acted on.
const SETTLES: Duration = Duration::from_millis(50);

/// Passes changes on until dropped.
pub(crate) async fn follow(circuits: &Circuits) {
    if let Err(error) = pass_on(circuits).await {
        tracing::info!(%error, "the system does not tell about its network");
    }
    pending().await
}

async fn pass_on(circuits: &Circuits) -> io::Result<()> {
    let mut news = IfWatcher::new()?;
    // What is there already comes first, and is no change.
    settled(&mut news).await?;
    loop {
        settled(&mut news).await?;
        circuits.network_changed(|ours| !is_ours(ours)).await;
    }
}

/// Waits for news, and until no more come.
async fn settled(news: &mut IfWatcher) -> io::Result<()> {
    let mut event = one(news).await?;
    loop {
        tracing::debug!(?event, "address");
        match timeout(SETTLES, one(news)).await {
            Ok(next) => event = next?,
            Err(_) => return Ok(()),
        }
    }
}

async fn one(news: &mut IfWatcher) -> io::Result<IfEvent> {
    let ended = || Err(io::ErrorKind::UnexpectedEof.into());
    news.next().await.unwrap_or_else(ended)
}

/// Whether the computer has this address now. Asked, not concluded from the news: on a point-to-point device they name the
/// peer's address.
pub(crate) fn is_ours(address: IpAddr) -> bool {
    let has_scope = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    // Which device is meant is not known here, and the question would need it.
    has_scope || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_ours_and_an_address_of_a_book_is_not() {
        let link_local = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);

        assert!(is_ours(IpAddr::from([127, 0, 0, 1])));
        assert!(!is_ours(IpAddr::from([203, 0, 113, 7])));
        assert!(is_ours(link_local), "not known, not gone");
    }
}
