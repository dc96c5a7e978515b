//! Opens sockets to targets: the only function that does, and it takes a right away from whoever calls it.
//! A name may resolve to something else today than yesterday, so every address is looked at before it is dialled.

use crate::config::may_be_target;
use crate::doctor::Look;
use crate::postgres::Duty;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tidegate_proto::names::{HubAddress, ServiceName};
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

/// Most addresses of one name that are tried.
const MOST: usize = 8;
/// How long what a name resolved to is believed without asking again.
const MOMENT: Duration = Duration::from_secs(2);

/// By what right a target is dialled.
#[allow(clippy::large_enum_variant)] // moved once on its way to be used up, never stored
pub enum Right {
    /// Somebody may connect, once.
    Portal(Permit),
    /// What such a right began is ended: cancelled, or looked after.
    Ending(Spent),
    /// Whoever comes after those who had such a right is expected: TCP and TLS are done for them, and no more.
    Ahead(Spent),
    /// A temporary role is made or cleared away, as the journal of roles says.
    Keeping(Duty),
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
    /// Where what answered last is remembered for a moment; without it the name is asked for each time.
    pub recent: Option<&'a Recent>,
}

/// What answered a moment ago under the name of one target, so that programs that come one after the other do not ask for it
/// each time. Looked at like any other address before it is dialled, and forgotten when it does not answer.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Option<Answered>>);

#[derive(Debug)]
struct Answered {
    name: HubAddress,
    at: SocketAddr,
    resolved: Instant,
}

impl Recent {
    /// What to try before the name is asked for.
    fn first(&self, name: &HubAddress) -> Option<SocketAddr> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.take_if(|last| last.name != *name || last.resolved.elapsed() >= MOMENT);
        last.as_ref().map(|last| last.at)
    }

    fn note(&self, answered: Option<Answered>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = answered;
    }
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
    let spent = right.spend();
    let socket = dial_each(way).await?;
    Ok(Opened { socket, spent })
}

impl Right {
    /// Uses it up for a socket that was opened ahead.
    #[must_use]
    pub fn spend(self) -> Spent {
        match self {
            Self::Portal(_used_up) => Spent(()),
            Self::Ending(spent) | Self::Ahead(spent) => spent,
            Self::Keeping(_used_up) => Spent(()),
            Self::Looking(_used_up) => Spent(()),
        }
    }
}

async fn dial_each(way: &Way<'_>) -> Result<TcpStream, DialError> {
    let until = Instant::now() + way.limit;
    if let Some((recent, at)) = way.recent.and_then(|r| Some((r, r.first(way.address)?))) {
        // It leaves half of the time for what the name says now.
        let share = Instant::now() + way.limit / 2;
        if let Ok((socket, _)) = dial_first(&[at], way, share).await {
            return Ok(socket);
        }
        recent.note(None);
    }
    let resolved = Instant::now();
    let (socket, at) = dial_first(&look_up(way, until).await?, way, until).await?;
    if let Some(recent) = way.recent {
        let name = way.address.clone();
        recent.note(Some(Answered { name, at, resolved }));
    }
    Ok(socket)
}

async fn look_up(way: &Way<'_>, until: Instant) -> Result<Vec<SocketAddr>, DialError> {
    let name = (way.address.host(), way.address.port());
    let found = timeout_at(until, lookup_host(name))
        .await
        .map_err(|_| DialError::Silent)?;
    Ok(found
        .map_err(|_| DialError::Unresolved)?
        .take(MOST)
        .collect())
}

/// Every address gets its share of the time that is left: one that swallows packets must not hide the next.
async fn dial_first(
    candidates: &[SocketAddr],
    way: &Way<'_>,
    until: Instant,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut failure = DialError::Unresolved;
    for (n, candidate) in candidates.iter().enumerate() {
        let others = u32::try_from(candidates.len() - n).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / others;
        match timeout(share, dial_one(*candidate, way))
            .await
            .unwrap_or(Err(DialError::Silent))
        {
            Ok(socket) => return Ok((socket, *candidate)),
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
                recent: None,
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
            recent: None,
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

    fn answered(name: &str, at: SocketAddr, resolved: Instant) -> Recent {
        let name = name.parse().unwrap();
        Recent(Mutex::new(Some(Answered { name, at, resolved })))
    }

    async fn dialled_by(name: &str, recent: &Recent) -> Result<TcpStream, DialError> {
        let right = Right::Portal(rehearsal::permit("00uana", 1, Purpose::Connect));
        let way = Way {
            address: &name.parse().unwrap(),
            loopback_only: false,
            limit: Duration::from_secs(2),
            recent: Some(recent),
        };
        Ok(open(right, &way).await?.socket)
    }

    /// A name that nobody can look up: whoever is reached by it was remembered.
    const NAME: &str = "nowhere.invalid:5432";

    #[tokio::test]
    async fn what_answered_a_moment_ago_is_dialled_without_asking_for_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let recent = Recent::default();
        let name = format!("localhost:{}", at.port());

        dialled_by(&name, &recent).await.unwrap();

        assert_eq!(recent.first(&name.parse().unwrap()), Some(at));
        let recent = answered(NAME, at, Instant::now());
        let socket = dialled_by(NAME, &recent).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), at);
    }

    #[tokio::test]
    async fn a_name_is_asked_for_again_after_a_moment_and_for_another_target() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let before = Instant::now().checked_sub(MOMENT).unwrap();

        for recent in [
            answered(NAME, at, before),
            answered("elsewhere.invalid:5432", at, Instant::now()),
            answered("nowhere.invalid:5433", at, Instant::now()),
        ] {
            let unknown = dialled_by(NAME, &recent).await.err();
            assert_eq!(unknown, Some(DialError::Unresolved));
            assert!(recent.0.lock().unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_does_not_answer_any_more_is_forgotten_and_its_name_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (was, name) = (
            gone.local_addr().unwrap(),
            format!("localhost:{}", at.port()),
        );
        drop(gone);
        let recent = answered(&name, was, Instant::now());

        let socket = dialled_by(&name, &recent).await.unwrap();

        assert_eq!(socket.peer_addr().unwrap(), at);
        assert_eq!(recent.first(&name.parse().unwrap()), Some(at));
    }

    #[tokio::test]
    async fn what_is_remembered_is_looked_at_like_any_other_address() {
        let metadata = "169.254.169.254:80".parse().unwrap();
        let recent = answered(NAME, metadata, Instant::now());

        let error = dialled_by(NAME, &recent).await.err();

        assert_eq!(error, Some(DialError::Unresolved));
    }
}
