//! How often one can connect, ask one thing and leave: what dashboards and notebooks do all day.
//! The comparison is SCRAM over the Unix socket of the database: no network and no TLS, so the kindest there is.

use std::time::{Duration, Instant};

use tokio_postgres::{Config, NoTls};

use crate::company::SERVICE_PORT;
use crate::trouble::Outcome;
use crate::warehouse::{DATABASE, LOGIN, Warehouse};

const LONG: Duration = Duration::from_secs(5);

pub(super) async fn compare(warehouse: &Warehouse) -> Outcome<()> {
    let mut through = Config::new();
    through
        .host("127.0.0.1")
        .port(SERVICE_PORT)
        .user(LOGIN)
        .dbname(DATABASE);
    let mut socket = Config::new();
    socket
        .host_path(warehouse.socket())
        .port(warehouse.address.port())
        .user(LOGIN)
        .dbname(DATABASE);
    socket.password(&warehouse.password);
    println!(
        "  {:<24} {:>6.0} per second",
        "database's own socket",
        rate(&socket).await?
    );
    println!(
        "  {:<24} {:>6.0} per second",
        "tidegate",
        rate(&through).await?
    );
    Ok(())
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
