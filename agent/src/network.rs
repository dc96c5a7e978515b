//! What the system tells about the computer's own addresses: another wifi, a cable, a phone. Each change is passed on once it
//! has settled; where the system tells nothing, or too late, what is connected is asked often enough to notice by itself.

use std::future::pending;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use tokio::time::{sleep, timeout};

use crate::circuit::Circuits;

/// Addresses come and go in bunches: so long after the first one it is acted on, whether or not more come. A computer on which
/// they never rest, as where containers start, acts no more often than that.
const SETTLES: Duration = Duration::from_millis(100);
/// How often whoever uses an address looks whether it is still there.
const LOOKS: Duration = Duration::from_millis(250);

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

/// Waits for news, and takes what comes soon after it.
async fn settled(news: &mut (impl Stream<Item = io::Result<IfEvent>> + Unpin)) -> io::Result<()> {
    one(news).await?;
    let bunch = async {
        loop {
            one(news).await?;
        }
    };
    timeout(SETTLES, bunch).await.unwrap_or(Ok(()))
}

async fn one(news: &mut (impl Stream<Item = io::Result<IfEvent>> + Unpin)) -> io::Result<()> {
    let ended = || Err(io::ErrorKind::UnexpectedEof.into());
    let event = news.next().await.unwrap_or_else(ended)?;
    tracing::debug!(?event, "address");
    Ok(())
}

/// Whether the computer has this address now. Asked, not concluded from the news: on a point-to-point device they name the
/// peer's address.
pub(crate) fn is_ours(address: IpAddr) -> bool {
    let has_scope = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    // Which device is meant is not known here, and the question would need it.
    has_scope || !says_gone(&UdpSocket::bind((address, 0)))
}

/// Nothing but this says so: a program that may open no more sockets has its addresses all the same.
fn says_gone(bound: &io::Result<UdpSocket>) -> bool {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::AddrNotAvailable;
    bound.as_ref().is_err_and(gone)
}

/// Resolves when the computer has lost this address: what is under way from it will never be answered.
pub(crate) async fn left(address: Option<IpAddr>) {
    let Some(address) = address else {
        return pending().await;
    };
    while is_ours(address) {
        sleep(LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[test]
    fn loopback_is_ours_and_an_address_of_a_book_is_not() {
        let link_local = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);

        assert!(is_ours(IpAddr::from([127, 0, 0, 1])));
        assert!(!is_ours(IpAddr::from([203, 0, 113, 7])));
        assert!(is_ours(link_local), "not known, not gone");
    }

    #[test]
    fn only_an_address_that_is_not_available_is_gone() {
        let gone = |errno: rustix::io::Errno| {
            says_gone(&Err(io::Error::from_raw_os_error(errno.raw_os_error())))
        };

        assert!(gone(rustix::io::Errno::ADDRNOTAVAIL));
        assert!(!gone(rustix::io::Errno::MFILE), "no more descriptors");
        assert!(!gone(rustix::io::Errno::ACCESS));
    }

    #[tokio::test]
    async fn whoever_stands_on_an_address_that_is_not_there_is_told_and_nobody_else() {
        left(Some(IpAddr::from([203, 0, 113, 7]))).await;

        let stays = left(Some(IpAddr::from([127, 0, 0, 1])));
        assert!(timeout(LOOKS * 2, stays).await.is_err());
    }

    /// How many changes are told of so many events, one every `apart`.
    async fn changes(events: usize, apart: Duration) -> usize {
        let net = "192.0.2.1/24".parse().expect("a network");
        let ticks = stream::iter(0..events).then(async |_| {
            sleep(apart).await;
            Ok(IfEvent::Up(net))
        });
        let (mut news, mut told) = (std::pin::pin!(ticks.chain(stream::pending())), 0);
        while let Ok(Ok(())) = timeout(Duration::from_mins(1), settled(&mut news)).await {
            told += 1;
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn each_change_is_told_and_a_bunch_once() {
        assert_eq!(changes(4, Duration::from_secs(1)).await, 4);
        assert_eq!(changes(8, Duration::from_millis(20)).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_never_rest_are_told_of_and_not_without_end() {
        let told = changes(1_000, Duration::from_millis(10)).await;

        assert!((50..=100).contains(&told), "{told} in ten seconds");
    }
}
