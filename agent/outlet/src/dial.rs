//! Opens sockets to targets: the only function that does, and it takes a right away from whoever calls it.
//! A name may resolve to something else today than yesterday, so every address is looked at before it is dialled.

use crate::config::may_be_target;
use crate::doctor::Look;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

/// Most addresses of one name that are tried.
const MOST: usize = 8;

/// By what right a target is dialled.
#[allow(clippy::large_enum_variant)] // moved once on its way to be used up, never stored
pub enum Right {
    /// Somebody may connect, once.
    Portal(Permit),
    /// What such a right began is ended: cancelled, or looked after.
    Ending(Spent),
    /// The owner looks whether it answers: `tidegate outlet doctor`, at the outlet's own machine.
    Looking(Look),
}

/// What is left of a permit that has opened a socket. Nothing else makes one.
#[derive(Clone, Debug)]
pub struct Spent(());

/// Where a target is, and how it may be reached.
#[derive(Copy, Clone, Debug)]
pub struct Way<'a> {
    pub address: &'a HubAddress,
    /// Without TLS, only this computer's loopback may be reached.
    pub loopback_only: bool,
    /// For all addresses of the name together.
    pub limit: Duration,
}

/// A connected socket.
#[derive(Debug)]
pub struct Opened {
    pub socket: TcpStream,
    pub spent: Spent,
}

/// Why a target was not reached.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    #[error("the target's name does not resolve")]
    Unresolved,
    #[error("the target's name resolves only to addresses where no service may live")]
    Forbidden,
    #[error("a target outside of this computer would be reached without TLS")]
    PlainAway,
    #[error("the target refused the connection or cannot be reached: {0:?}")]
    Closed(io::ErrorKind),
    #[error("the target did not answer in time")]
    Silent,
}

impl DialError {
    /// What the person at the other end is told.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Unresolved | Self::Forbidden | Self::Silent => Code::TargetSilent,
            Self::PlainAway => Code::TargetNotTrusted,
            Self::Closed(_) => Code::TargetClosed,
        }
    }

    /// The same, about `service`.
    #[must_use]
    pub fn problem(self, service: &ServiceName) -> Problem {
        Problem::new(self.code()).service(service)
    }
}

/// Connects by `right`, which is used up whether the target answers or not.
///
/// # Errors
/// The last address's failure.
pub async fn open(right: Right, way: &Way<'_>) -> Result<Opened, DialError> {
    let spent = match right {
        Right::Portal(_used_up) => Spent(()),
        Right::Ending(spent) => spent,
        Right::Looking(_used_up) => Spent(()),
    };
    let socket = dial_each(way).await?;
    Ok(Opened { socket, spent })
}

/// Every address gets its share of the time that is left: one that swallows packets must not hide the next.
async fn dial_each(way: &Way<'_>) -> Result<TcpStream, DialError> {
    let until = Instant::now() + way.limit;
    let name = (way.address.host(), way.address.port());
    let found = timeout_at(until, lookup_host(name))
        .await
        .map_err(|_| DialError::Silent)?;
    let candidates: Vec<_> = found
        .map_err(|_| DialError::Unresolved)?
        .take(MOST)
        .collect();
    let mut failure = DialError::Unresolved;
    for (n, candidate) in candidates.iter().enumerate() {
        let others = u32::try_from(candidates.len() - n).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / others;
        match timeout(share, dial_one(*candidate, way))
            .await
            .unwrap_or(Err(DialError::Silent))
        {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn dial_one(address: SocketAddr, way: &Way<'_>) -> Result<TcpStream, DialError> {
    if !may_be_target(address.ip()) {
        return Err(DialError::Forbidden);
    }
    if way.loopback_only && !address.ip().to_canonical().is_loopback() {
        return Err(DialError::PlainAway);
    }
    let closed = |error: io::Error| DialError::Closed(error.kind());
    let socket = TcpStream::connect(address).await.map_err(closed)?;
    tidegate_link::tune(&socket).map_err(closed)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tidegate_proto::{frame::Purpose, rehearsal};
    use tokio::net::TcpListener;

    async fn dialled(address: &str, loopback_only: bool) -> Result<Opened, DialError> {
        let right = Right::Portal(rehearsal::permit("00uana", 1, Purpose::Connect));
        let (address, limit) = (address.parse().unwrap(), Duration::from_millis(200));
        open(
            right,
            &Way {
                address: &address,
                loopback_only,
                limit,
            },
        )
        .await
    }

    #[tokio::test]
    async fn a_permit_opens_one_socket_and_leaves_the_right_to_end_what_it_began() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();

        let opened = dialled(&address, true).await.unwrap();
        let address = address.parse().unwrap();
        let way = Way {
            address: &address,
            loopback_only: true,
            limit: Duration::from_secs(1),
        };

        assert!(open(Right::Ending(opened.spent), &way).await.is_ok());
    }

    #[tokio::test]
    async fn addresses_where_no_service_lives_are_not_dialled() {
        for address in [
            "169.254.169.254:80",
            "[fe80::1]:22",
            "0.0.0.0:22",
            "[::ffff:169.254.169.254]:80",
        ] {
            assert_eq!(
                dialled(address, false).await.err(),
                Some(DialError::Forbidden),
                "{address}"
            );
        }
        assert_eq!(
            dialled("192.0.2.1:5432", true).await.err(),
            Some(DialError::PlainAway)
        );
    }

    #[tokio::test]
    async fn a_closed_port_and_an_unknown_name_say_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);

        let closed = dialled(&address, false).await.err().unwrap();

        assert_eq!(closed, DialError::Closed(io::ErrorKind::ConnectionRefused));
        assert_eq!(closed.code(), Code::TargetClosed);
        let unknown = dialled("nowhere.invalid:1", false).await.err().unwrap();
        assert_eq!(unknown.code(), Code::TargetSilent);
    }
}
