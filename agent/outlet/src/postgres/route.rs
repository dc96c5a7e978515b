//! The way to one database: where it is, how it is trusted, and the connection itself.
//! A connection without TLS is made only when the peer's address, as connected, is this computer's loopback.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tidegate_link::tls;
use tidegate_postgres::{LoggedIn, Login, Next};
use tidegate_proto::names::HubAddress;
use tidegate_proto::permit::Permit;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::binding;
use super::fault::Fault;
use super::stream::Stream;
use crate::dial;
use crate::target_tls::{TargetTls, TrustError, is_loopback};

/// For one TCP connection attempt.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// `SSLRequest`; before a cancel request it is all that comes before TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// By what right a connection is made.
pub(super) enum Right {
    /// Somebody was allowed to use the service.
    Portal(Permit),
    /// What such a right began is ended: cancelled, or looked after.
    Ending,
}

/// Where a database is and how it is trusted.
pub(super) struct Route {
    address: HubAddress,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Route {
    /// Reads the trust settings as they are now; blocks on files.
    pub(super) fn new(address: HubAddress, trusted: &TargetTls) -> Result<Self, Fault> {
        let tls = match trusted {
            TargetTls::Off => None,
            TargetTls::Verified { trust, server_name } => {
                let name =
                    tls::server_name(server_name.as_ref().map_or(address.host(), String::as_str))
                        .map_err(TrustError::from)?;
                Some((Arc::new(trust.client()?), name))
            }
        };
        Ok(Self { address, tls })
    }

    pub(super) fn uses_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Dials and logs in.
    pub(super) async fn log_in(
        &self,
        right: Right,
        mut login: Login,
        first: Vec<u8>,
    ) -> Result<(Stream, LoggedIn), Fault> {
        let mut stream = Stream::Plain(self.dial(right).await?);
        stream.write_all(&first).await?;
        let mut buffer = vec![0; 8 * 1024];
        loop {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Err(Fault::Io(std::io::ErrorKind::UnexpectedEof));
            }
            let step = login.handle_input(&buffer[..count])?;
            stream.write_all(&step.send).await?;
            match step.next {
                Next::Read => {}
                Next::StartTls => {
                    stream = self.start_tls(stream.into_tcp()).await?;
                    let binding = stream.certificate().and_then(binding::server_end_point);
                    let startup = login.tls_started(binding);
                    stream.write_all(&startup).await?;
                }
                Next::Done(logged_in) => return Ok((stream, logged_in)),
            }
            stream.flush().await?;
        }
    }

    /// Sends one cancel request and waits until the server has taken it.
    pub(super) async fn cancel(&self, request: &[u8]) -> Result<(), Fault> {
        let mut tcp = self.dial(Right::Ending).await?;
        if self.uses_tls() {
            tcp.write_all(&SSL_REQUEST).await?;
            let mut answer = [0];
            tcp.read_exact(&mut answer).await?;
            if answer != *b"S" {
                return Err(Fault::NotTrusted);
            }
            return hand_over(self.start_tls(tcp).await?, request).await;
        }
        hand_over(tcp, request).await
    }

    /// The right is used up, whether the database answers or not.
    async fn dial(&self, right: Right) -> Result<TcpStream, Fault> {
        if !self.uses_tls() && !is_loopback(self.address.host()) {
            return Err(Fault::PlainAway);
        }
        let tcp = match right {
            Right::Portal(permit) => {
                dial::open(permit, &self.address, CONNECT_LIMIT)
                    .await?
                    .socket
            }
            Right::Ending => dial::to_end(&self.address, CONNECT_LIMIT).await?,
        };
        // `localhost` is a name like others: nothing has been said yet, if it leads elsewhere today.
        if !self.uses_tls() && !tcp.peer_addr()?.ip().to_canonical().is_loopback() {
            return Err(Fault::PlainAway);
        }
        Ok(tcp)
    }

    async fn start_tls(&self, tcp: TcpStream) -> Result<Stream, Fault> {
        let (config, name) = self.tls.as_ref().ok_or(Fault::NotTrusted)?;
        let connector = TlsConnector::from(Arc::clone(config));
        let tls = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| tls_fault(&error))?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

/// A connection that breaks during the handshake says nothing about trust.
fn tls_fault(error: &std::io::Error) -> Fault {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if cause.is_some() {
        Fault::NotTrusted
    } else {
        Fault::Io(error.kind())
    }
}

async fn hand_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> Result<(), Fault> {
    stream.write_all(request).await?;
    stream.flush().await?;
    // The server closes when it has sent the signal, without a word and, inside of TLS, without a goodbye.
    let _ = stream.read(&mut [0]).await;
    Ok(())
}
