//! Opens the socket to a target: the only function that does, and it takes the permit away from whoever calls it.
//! A name may resolve to something else today than yesterday, so every address is looked at before it is dialled.

use crate::config::may_be_target;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_proto::names::HubAddress;
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tokio::net::{TcpStream, lookup_host};

/// A connected socket, and the right by which it was opened.
pub struct Opened {
    pub permit: Permit,
    pub socket: TcpStream,
}

/// Why a target was not reached.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    #[error("the target's name does not resolve")]
    Unresolved,
    #[error("the target's name resolves only to addresses where no service may live")]
    Forbidden,
    #[error("the target refused the connection or cannot be reached: {0:?}")]
    Closed(io::ErrorKind),
    #[error("the target did not answer in time")]
    Silent,
}

impl DialError {
    /// What the person at the other end is told.
    #[must_use]
    pub fn problem(self, permit_service: &tidegate_proto::names::ServiceName) -> Problem {
        let code = match self {
            Self::Unresolved | Self::Forbidden | Self::Silent => Code::TargetSilent,
            Self::Closed(_) => Code::TargetClosed,
        };
        Problem::new(code).service(permit_service)
    }
}

/// Connects to `address`, trying each address that its name has, within `limit` in all.
///
/// # Errors
/// The last address's failure. The permit is gone either way.
pub async fn open(
    permit: Permit,
    address: &HubAddress,
    limit: Duration,
) -> Result<Opened, DialError> {
    let dialled = tokio::time::timeout(limit, dial_each(address));
    let socket = dialled.await.unwrap_or(Err(DialError::Silent))?;
    Ok(Opened { permit, socket })
}

/// Connects once more to where a permit led, to end there what it began. Nothing of anybody's is carried over it.
///
/// # Errors
/// The last address's failure.
pub(crate) async fn to_end(address: &HubAddress, limit: Duration) -> Result<TcpStream, DialError> {
    let dialled = tokio::time::timeout(limit, dial_each(address));
    dialled.await.unwrap_or(Err(DialError::Silent))
}

async fn dial_each(address: &HubAddress) -> Result<TcpStream, DialError> {
    let found = lookup_host((address.host(), address.port()))
        .await
        .map_err(|_| DialError::Unresolved)?;
    let mut failure = DialError::Unresolved;
    for candidate in found {
        match dial_one(candidate).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn dial_one(address: SocketAddr) -> Result<TcpStream, DialError> {
    if !may_be_target(address.ip()) {
        return Err(DialError::Forbidden);
    }
    let closed = |error: io::Error| DialError::Closed(error.kind());
    let socket = TcpStream::connect(address).await.map_err(closed)?;
    tidegate_link::tune(&socket).map_err(closed)?;
    Ok(socket)
}
