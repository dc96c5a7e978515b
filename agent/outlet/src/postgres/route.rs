//! The way to one database: where it is, how it is trusted, and the connection itself.
//! A connection without TLS is made only when the peer's address, as connected, is this computer's loopback.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tidegate_link::tls;
use tidegate_postgres::{LoggedIn, Login, Next};
use tidegate_proto::names::HubAddress;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::binding;
use super::fault::Fault;
use super::service::Lasting;
use super::spare::Spares;
use super::stream::Stream;
use crate::dial::{self, Opened, Recent, Right, Spent, Way};
use crate::target_tls::{TargetTls, TrustError};

/// For connecting, all addresses together.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// `SSLRequest`, and the answer that grants it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GRANTED: u8 = b'S';

/// Where a database is and how it is trusted.
pub(super) struct Route {
    address: HubAddress,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    recent: Arc<Recent>,
    spares: Arc<Spares>,
}

impl Route {
    /// Reads the trust settings as they are now; blocks on files.
    pub(super) fn new(
        address: HubAddress,
        trusted: &TargetTls,
        lasting: &Lasting,
    ) -> Result<Self, Fault> {
        let tls = match trusted {
            TargetTls::Off => None,
            TargetTls::Verified { trust, server_name } => {
                let name =
                    tls::server_name(server_name.as_ref().map_or(address.host(), String::as_str))
                        .map_err(TrustError::from)?;
                let groups = || Arc::clone(&lasting.groups);
                let config = lasting.client.client(trust, |config| {
                    config.resumption = groups().without_sessions();
                })?;
                Some((config, name))
            }
        };
        Ok(Self {
            address,
            tls,
            recent: Arc::clone(&lasting.recent),
            spares: Arc::clone(&lasting.spares),
        })
    }

    /// Whether it leads to the same place by the same trust.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let trusts_alike = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some((one, name)), Some((other, other_name))) => {
                Arc::ptr_eq(one, other) && name == other_name
            }
            _ => false,
        };
        self.address == other.address && trusts_alike
    }

    pub(super) fn address(&self) -> &HubAddress {
        &self.address
    }

    pub(super) fn uses_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Dials and logs in.
    pub(super) async fn log_in(
        &self,
        right: Right,
        login: Login,
        first: Vec<u8>,
    ) -> Result<(Stream, LoggedIn, Spent), Fault> {
        let Opened { socket, spent } = self.dial(right).await?;
        let mut stream = Stream::Plain(socket);
        stream.write_all(&first).await?;
        let (stream, logged_in) = self.converse(stream, login).await?;
        Ok((stream, logged_in, spent))
    }

    /// The same for a program, over a connection that was made ahead where there is one, and expects another.
    pub(super) async fn log_in_next(
        self: &Arc<Self>,
        right: Right,
        mut login: Login,
        first: Vec<u8>,
    ) -> Result<(Stream, LoggedIn, Spent), Fault> {
        let (stream, logged_in, spent) = match self.spares.take(self) {
            None => self.log_in(right, login, first).await?,
            Some(mut stream) => {
                let spent = right.spend();
                let startup = match stream {
                    Stream::Plain(_) => first,
                    // What `first` asks for was asked and granted, for this is TLS.
                    Stream::Tls(_) => {
                        login.handle_input(&[GRANTED])?;
                        login.tls_started(binding_of(&stream))
                    }
                };
                stream.write_all(&startup).await?;
                stream.flush().await?;
                let (stream, logged_in) = self.converse(stream, login).await?;
                (stream, logged_in, spent)
            }
        };
        self.spares.expect(self, &spent);
        Ok((stream, logged_in, spent))
    }

    /// A connection on which the next one can log in.
    pub(super) async fn go_ahead(&self, spent: Spent) -> Result<Stream, Fault> {
        let tcp = self.dial(Right::Ahead(spent)).await?.socket;
        if self.uses_tls() {
            return self.ask_for_tls(tcp).await;
        }
        Ok(Stream::Plain(tcp))
    }

    async fn converse(
        &self,
        mut stream: Stream,
        mut login: Login,
    ) -> Result<(Stream, LoggedIn), Fault> {
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
                    let startup = login.tls_started(binding_of(&stream));
                    stream.write_all(&startup).await?;
                }
                Next::Done(logged_in) => return Ok((stream, logged_in)),
            }
            stream.flush().await?;
        }
    }

    /// Sends one cancel request and waits until the server has taken it.
    pub(super) async fn cancel(&self, spent: &Spent, request: &[u8]) -> Result<(), Fault> {
        let tcp = self.dial(Right::Ending(spent.clone())).await?.socket;
        if self.uses_tls() {
            return hand_over(self.ask_for_tls(tcp).await?, request).await;
        }
        hand_over(tcp, request).await
    }

    async fn dial(&self, right: Right) -> Result<Opened, Fault> {
        let way = Way {
            address: &self.address,
            loopback_only: !self.uses_tls(),
            limit: CONNECT_LIMIT,
            recent: Some(&self.recent),
        };
        Ok(dial::open(right, &way).await?)
    }

    /// Where TLS is all that comes before what is to be said.
    async fn ask_for_tls(&self, mut tcp: TcpStream) -> Result<Stream, Fault> {
        tcp.write_all(&SSL_REQUEST).await?;
        let mut answer = [0];
        tcp.read_exact(&mut answer).await?;
        if answer != [GRANTED] {
            return Err(Fault::NotTrusted);
        }
        self.start_tls(tcp).await
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

fn binding_of(stream: &Stream) -> Option<Vec<u8>> {
    stream.certificate().and_then(binding::server_end_point)
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
