//! A port of our own on both loopback addresses, proven by calling ourselves.
//! Binding 127.0.0.1 alone is not enough: `localhost` may mean ::1 first, and whoever sits there would get the program's bytes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::platform::holder::{Holder, holder_of};
use crate::platform::port::{has_ipv6, reusable};

const BACKLOG: u32 = 128;
const PROOF_LIMIT: Duration = Duration::from_secs(2);

/// Why the port could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BindError {
    #[error("another program listens on the port")]
    Taken { port: u16, holder: Option<Holder> },
    #[error("the system does not allow the port")]
    Denied { port: u16 },
    #[error("the port does not lead to this program")]
    NotOurs { port: u16 },
    #[error("the port could not be opened")]
    Io { port: u16, kind: io::ErrorKind },
}

/// Listeners on the same port of 127.0.0.1 and, where the system has IPv6, ::1.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) v4: TcpListener,
    pub(crate) v6: Option<TcpListener>,
}

/// Binds `port` on both loopback addresses and proves that a connection to it arrives here.
///
/// # Errors
/// When either address is taken, or a connection to the port ends up elsewhere.
pub(crate) async fn bind(port: u16) -> Result<Listeners, BindError> {
    let v4 = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), port)?;
    let v6 = match listen(IpAddr::V6(Ipv6Addr::LOCALHOST), port) {
        Ok(listener) => Some(listener),
        Err(error) if has_no_ipv6(&error) => {
            tracing::info!(
                port,
                "port was opened on 127.0.0.1 only: this computer has no ::1"
            );
            None
        }
        Err(error) => return Err(error),
    };
    Ok(Listeners {
        v4: v4.proven().await?,
        v6: match v6 {
            Some(v6) => Some(v6.proven().await?),
            None => None,
        },
    })
}

/// Whether nobody listens there right now, on either address.
pub(crate) fn is_free(port: u16) -> bool {
    let addresses = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    // Standard listeners: this asks and lets go, it serves nobody.
    let taken = |ip: &IpAddr| {
        std::net::TcpListener::bind((*ip, port))
            .is_err_and(|error| error.kind() != io::ErrorKind::AddrNotAvailable)
    };
    !addresses
        .iter()
        .filter(|ip| ip.is_ipv4() || has_ipv6())
        .any(taken)
}

/// A listener of which nobody knows yet whether calls to its address arrive there: some other program may redirect them.
struct Unproven {
    listener: TcpListener,
    address: SocketAddr,
}

fn listen(ip: IpAddr, port: u16) -> Result<Unproven, BindError> {
    let attempt = || {
        let socket = if ip.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        reusable(&socket)?;
        let address = SocketAddr::new(ip, port);
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Unproven { listener, address })
    };
    attempt().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken {
            port,
            holder: holder_of(port),
        },
        io::ErrorKind::PermissionDenied => BindError::Denied { port },
        kind => BindError::Io { port, kind },
    })
}

fn has_no_ipv6(error: &BindError) -> bool {
    // EADDRNOTAVAIL: ::1 is not configured. EAFNOSUPPORT has no stable kind of its own.
    let BindError::Io { kind, .. } = error else {
        return false;
    };
    *kind == io::ErrorKind::AddrNotAvailable || !has_ipv6()
}

impl Unproven {
    /// Calls the address and expects the very same connection to come out of the listener. There is no other way to have it.
    async fn proven(self) -> Result<TcpListener, BindError> {
        let port = self.address.port();
        let round = async {
            let call = TcpStream::connect(self.address).await?;
            let caller = call.local_addr()?;
            loop {
                // A program that was faster than our own call simply has to try again.
                let (_stream, peer) = self.listener.accept().await?;
                if peer == caller {
                    return Ok::<_, io::Error>(());
                }
            }
        };
        match timeout(PROOF_LIMIT, round).await {
            Ok(Ok(())) => Ok(self.listener),
            Ok(Err(error)) => Err(BindError::Io {
                port,
                kind: error.kind(),
            }),
            Err(_) => Err(BindError::NotOurs { port }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::free_port;

    #[tokio::test]
    async fn owns_the_port_on_both_addresses_and_gives_it_back() {
        let port = free_port();

        let listeners = bind(port).await.unwrap();

        assert_eq!(
            listeners.v4.local_addr().unwrap(),
            SocketAddr::from(([127, 0, 0, 1], port))
        );
        if let Some(v6) = &listeners.v6 {
            assert_eq!(
                v6.local_addr().unwrap(),
                SocketAddr::from((Ipv6Addr::LOCALHOST, port))
            );
        }
        drop(listeners);
        bind(port).await.unwrap();
    }

    #[tokio::test]
    async fn a_squatter_on_either_address_is_named() {
        for at in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(squatter) = std::net::TcpListener::bind(at) else {
                continue;
            };
            let port = squatter.local_addr().unwrap().port();

            let error = bind(port).await.unwrap_err();

            let BindError::Taken {
                holder: Some(holder),
                ..
            } = error
            else {
                panic!("{at}: {error:?}")
            };
            assert_eq!(holder.pid, Some(std::process::id()), "{at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_whose_calls_arrive_elsewhere_is_not_ours() {
        let ours = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), free_port()).unwrap();
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = elsewhere.local_addr().unwrap();

        let redirected = Unproven { address, ..ours };

        let port = address.port();
        let refused = redirected.proven().await.unwrap_err();
        assert_eq!(refused, BindError::NotOurs { port });
    }

    #[tokio::test]
    async fn nobody_can_come_between_while_it_is_open() {
        let port = free_port();
        let _listeners = bind(port).await.unwrap();

        assert!(!is_free(port));
        for at in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"] {
            let address: SocketAddr = format!("{at}:{port}").parse().unwrap();
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            };
            let Ok(socket) = socket else { continue };
            socket.set_reuseaddr(true).unwrap();
            #[cfg(unix)]
            socket.set_reuseport(true).unwrap();
            let taken = socket.bind(address).and_then(|()| socket.listen(1));
            assert!(taken.is_err(), "{at}");
        }
    }
}
