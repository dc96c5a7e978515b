//! How often one can connect, ask one thing and leave: what dashboards and notebooks do all day.
//! Direct means SCRAM over the database's Unix socket, and `ssh` ends at that socket too: no TLS there, so the kindest
//! there is for both. Tidegate's outlet comes over TCP and TLS, as it would beside a real database.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio_postgres::{Config, NoTls};

use crate::company::SERVICE_PORT;
use crate::trouble::Outcome;
use crate::warehouse::{DATABASE, LOGIN, Warehouse};

const ROUNDS: usize = 5;
const LONG: Duration = Duration::from_secs(2);

/// Connections per second, one after the other, by road, in turn.
pub(super) async fn per_second(warehouse: &Warehouse, ssh: SocketAddr) -> Outcome<[Vec<f64>; 3]> {
    let mut direct = config();
    direct
        .host_path(warehouse.socket())
        .port(warehouse.address.port());
    direct.password(&warehouse.password);
    let mut through_ssh = config();
    through_ssh.host("127.0.0.1").port(ssh.port());
    through_ssh.password(&warehouse.password);
    let mut through_tidegate = config();
    through_tidegate.host("127.0.0.1").port(SERVICE_PORT);

    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (road, rates) in [&direct, &through_ssh, &through_tidegate]
            .iter()
            .zip(&mut rates)
        {
            rates.push(rate(road).await?);
        }
    }
    Ok(rates)
}

fn config() -> Config {
    let mut config = Config::new();
    config.user(LOGIN).dbname(DATABASE);
    config
}

async fn rate(config: &Config) -> Outcome<f64> {
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < LONG {
        let (client, connection) = config.connect(NoTls).await?;
        let answering = tokio::spawn(connection);
        client.query_one("select 1", &[]).await?;
        drop(client);
        answering.await.ok();
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
