//! The figures for a closing note: Tidegate against `ssh -J` and against nothing, in one run on one machine.
//! Only ratios are worth quoting: absolute numbers change from minute to minute, so the two are always measured in turn.

pub mod app;
mod bytes;
mod memory;
mod queries;
mod ssh;
mod table;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company, TcpService};
use crate::laptop::Laptop;
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::Outcome;
use crate::user::User;
use crate::warehouse::Warehouse;

const BULK: &str = "bulk";
const BULK_PORT: u16 = 18999;
const START: Duration = Duration::from_secs(60);
/// A thousand idle portals, and room for what else is going on.
const CIRCUITS: usize = 1200;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    All,
    /// Only what begins a connection.
    Connections,
}

/// Measures and prints.
///
/// # Errors
/// When a part does not come up; figures themselves are never an error.
pub async fn measure(figures: Figures) -> Outcome<()> {
    raise_file_limit();
    let stage = Stage::set_on_loopback("figures need a road without an emulator in it")?;
    let target = bytes::serve()?;
    let ca = CertificateAuthority::new("Acme figures CA")?;
    let provider = Provider::start(&stage, &ca).await?;
    let warehouse = Warehouse::start(&stage, &ca).await?;
    let bulk = TcpService {
        name: BULK.to_owned(),
        target,
        port: BULK_PORT,
        also_low: false,
    };
    let plan = Blueprint::new(&provider, &warehouse, &ca)
        .with(bulk)
        .bears_circuits(CIRCUITS);
    let company = Company::found(&stage, &plan).await?;
    let laptop = Laptop::switch_on(&stage, &ca).await?;
    let config = laptop.home().join(".config");
    std::fs::create_dir_all(config.join("tidegate"))?;
    let settings = format!("max_connections = {CIRCUITS}\n");
    std::fs::write(config.join("tidegate/agent.toml"), settings)?;
    stage.run().give_tree(User::Analyst, &config)?;
    // One agent for both services: the second command finds the first one's.
    let agent = laptop.arrive(&company, &provider.ana).await?;
    laptop
        .terminal(
            "connect-bulk",
            stage.binary("tidegate")?,
            &["connect", BULK],
        )
        .await?;
    let ssh = ssh::Road::build(&stage, target, &warehouse).await?;
    let tidegate = SocketAddr::from(([127, 0, 0, 1], BULK_PORT));
    let roads = [target, ssh.bytes, tidegate];

    let mut rows = Vec::new();
    if figures == Figures::All {
        rows.push(row(
            ("one stream, 1 GiB down", "Gbit/s", 2),
            bytes::bulk(&roads)?,
        ));
        rows.push(row(
            ("round trip of one byte", "µs", 0),
            bytes::round_trips(&roads)?,
        ));
    }
    let queries = queries::per_second(&warehouse, &ca, &ssh).await?;
    for (what, rates) in [
        (
            "new connection, one query, closed, in turn; direct and ssh by the database's Unix socket, without TLS",
            queries.by_socket,
        ),
        ("the same; all by TCP and verified TLS", queries.by_tls),
    ] {
        rows.push(row((what, "per second", 0), rates));
    }
    rows.push(row(
        (
            "new connection, one byte and back, closed, 8 at a time",
            "per second",
            0,
        ),
        bytes::visits(&roads)?,
    ));
    let weight = (figures == Figures::All).then(|| memory::idle_and_busy(&agent, tidegate));
    println!("{}", table::markdown(&rows, weight.transpose()?.as_ref()));

    drop((ssh, agent, laptop));
    company.stop().await?;
    drop((warehouse, provider));
    stage.close()
}

/// For us and whoever we start: each portal takes two descriptors in each of four programs.
fn raise_file_limit() {
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // Refused: then opening that many portals says so.
    let _ = setrlimit(Resource::Nofile, most);
}

fn row(
    (what, unit, digits): (&'static str, &'static str, usize),
    [direct, ssh, tidegate]: [Vec<f64>; 3],
) -> table::Row {
    table::Row {
        what,
        unit,
        digits,
        direct,
        ssh,
        tidegate,
    }
}
