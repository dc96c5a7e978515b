//! How often one can connect, ask one thing and leave: what dashboards and notebooks do all day.
//! Two rows: with the kindest way there is for `direct` and `ssh` (the database's Unix socket, no TLS), and like for like:
//! over TCP, with TLS 1.3 and the certificate verified, as Tidegate's outlet always comes.

use std::time::{Duration, Instant};

use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use super::ssh;
use super::tls::Verified;
use crate::ca::CertificateAuthority;
use crate::company::SERVICE_PORT;
use crate::trouble::Outcome;
use crate::warehouse::{DATABASE, LOGIN, Warehouse};

const ROUNDS: usize = 5;
const LONG: Duration = Duration::from_secs(2);

/// One way to the database.
struct Way {
    config: Config,
    tls: Option<Verified>,
}

/// Rates of the two rows; by road, in turn.
pub(super) struct Rates {
    pub(super) by_socket: [Vec<f64>; 3],
    pub(super) by_tls: [Vec<f64>; 3],
}

/// Connections per second, one after the other.
pub(super) async fn per_second(
    warehouse: &Warehouse,
    ca: &CertificateAuthority,
    ssh: &ssh::Road,
) -> Outcome<Rates> {
    let port = warehouse.address.port();
    let verified = Verified::by(ca, &warehouse.host)?;
    let plain = |config: Config| Way { config, tls: None };
    let encrypted = |port: u16| {
        let mut config = on_loopback(port);
        config.password(&warehouse.password);
        config.ssl_mode(SslMode::Require);
        let tls = Some(verified.clone());
        Way { config, tls }
    };
    let mut by_socket = login();
    by_socket.host_path(warehouse.socket()).port(port);
    let mut by_ssh = on_loopback(ssh.database.port());
    for config in [&mut by_socket, &mut by_ssh] {
        config.password(&warehouse.password);
    }
    let tidegate = || plain(on_loopback(SERVICE_PORT));

    let kindest = [plain(by_socket), plain(by_ssh), tidegate()];
    let alike = [
        encrypted(port),
        encrypted(ssh.database_tcp.port()),
        tidegate(),
    ];
    Ok(Rates {
        by_socket: in_turn(&kindest).await?,
        by_tls: in_turn(&alike).await?,
    })
}

async fn in_turn(ways: &[Way; 3]) -> Outcome<[Vec<f64>; 3]> {
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (way, rates) in ways.iter().zip(&mut rates) {
            rates.push(rate(way).await?);
        }
    }
    Ok(rates)
}

fn login() -> Config {
    let mut config = Config::new();
    config.user(LOGIN).dbname(DATABASE);
    config
}

fn on_loopback(port: u16) -> Config {
    let mut config = login();
    config.host("127.0.0.1").port(port);
    config
}

async fn rate(way: &Way) -> Outcome<f64> {
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < LONG {
        match &way.tls {
            None => visit(&way.config, NoTls).await?,
            Some(tls) => visit(&way.config, tls.clone()).await?,
        }
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// One connection, one query.
async fn visit<T>(config: &Config, tls: T) -> Outcome<()>
where
    T: tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    let answering = tokio::spawn(connection);
    client.query_one("select 1", &[]).await?;
    drop(client);
    answering.await.ok();
    Ok(())
}
