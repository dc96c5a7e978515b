//! Whether the relay's port can be had, or is held by this very relay.
//! That something listens there proves nothing: it has to hold the relay's key.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tidegate_link::{LinkError, Preface, initiate, preface};
use tidegate_proto::channel::{Prologue, Suite};
use tidegate_proto::check::Check;
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::identity::NoiseSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::reception::Reserved;
use crate::relay::config::RelayConfig;

const NAME: &str = "port";
const LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn check(config: &RelayConfig, key: Option<&NoiseSecret>) -> Check {
    let (listen, port) = (config.listen, config.listen.port());
    let check = match Reserved::probe(listen) {
        Ok(()) => Check::ok(
            NAME,
            "It is free: no relay runs here, or one waits for its authority's first word.",
        ),
        Err(ErrorKind::AddrInUse) => held(config, key).await,
        Err(ErrorKind::PermissionDenied) => Check::fail(
            NAME,
            "This user may not listen there.",
            "Choose a port from 1024 on, or give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE.",
        ),
        Err(ErrorKind::AddrNotAvailable) => Check::fail(
            NAME,
            "This computer has no such address.",
            &format!("Correct `listen`; 0.0.0.0:{port} is every address of this computer."),
        ),
        Err(kind) => Check::fail(
            NAME,
            &format!("It cannot be opened: {kind}."),
            "Correct `listen`.",
        ),
    };
    check.about(&listen.to_string())
}

async fn held(config: &RelayConfig, key: Option<&NoiseSecret>) -> Check {
    let ours = match key {
        Some(key) => timeout(LIMIT, is_this_relay(config, key)).await,
        None => {
            return Check::skipped(
                NAME,
                "Somebody listens there; without the key nobody can say who.",
            );
        }
    };
    if let Ok(Ok(())) = ours {
        return Check::ok(NAME, "This relay listens there.");
    }
    Check::fail(
        NAME,
        "Another program listens there.",
        &format!(
            "Stop that program (`ss -ltnp 'sport = :{}'` names it), or choose another port here and in org.toml.",
            config.listen.port()
        ),
    )
}

/// A handshake succeeds only with whoever holds the key.
async fn is_this_relay(config: &RelayConfig, key: &NoiseSecret) -> Result<(), LinkError> {
    let mut tcp = TcpStream::connect(near(config.listen)).await?;
    preface(&mut tcp, Preface::Link).await?;
    let prologue = Prologue::link(Suite::Aes256Gcm, config.org.clone());
    let local = NoiseSecret::generate(&SystemEntropy);
    initiate(tcp, &prologue, &local, key.public())
        .await
        .map(drop)
}

/// Every address of this computer is reached by its loopback.
fn near(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
