//! The page of speed: Tidegate beside what people use today, all in one run, and the goals beside what was reached.
//! Rounds are paired: within a round every road is measured in turn, and only ratios of one round are ever compared.

mod chain;
mod chart;
mod cost;
mod database;
mod goals;
mod page;
mod series;

use std::net::SocketAddr;

pub use chain::{HOP, hop};

use self::chain::Chain;
use self::database::Databases;
use self::series::{Series, Table};
use super::bytes::{self, Way};
use super::set::Set;
use super::ssh::{Over, Road};
use super::{memory, raise_file_limit};
use crate::stage;
use crate::trouble::Outcome;

const ROUNDS: usize = 5;
/// Streams at the same time.
const MANY: u64 = 8;
/// Bytes of a message that is answered.
const MESSAGE: usize = 100;
/// What one bulk stream carries, in units of 10⁹ bytes.
const GIGABYTES: f64 = (1_u64 << 30) as f64 / 1e9;

/// The roads that are compared, in the order of all values.
pub(crate) const ROADS: [&str; 5] = ["direct", "plain chain", "ssh -L", "ssh -J", "Tidegate"];

/// All roads, for as long as they are needed.
struct Roads {
    bytes: [SocketAddr; 5],
    /// What carries each of them, but for the target itself.
    pids: [Vec<u32>; 5],
    /// The relay's part of the last one.
    relay: Vec<u32>,
    databases: Databases,
    _laid: (Chain, Chain, Road, Road),
}

/// Measures, prints the page, and writes it with its chart to `agent/docs`.
///
/// # Errors
/// When a part does not come up; figures themselves are never an error.
pub async fn measure() -> Outcome<()> {
    raise_file_limit();
    let set = Set::build().await?;
    let roads = Roads::lay(&set).await?;
    let mut table = Table::default();
    bulk(&roads, &mut table)?;
    small(&roads, &mut table)?;
    roads.databases.ask(&mut table).await?;
    idle(&roads, &mut table)?;
    drop(roads);
    set.close().await?;

    let page = page::markdown(&table, &page::circumstances()?);
    let docs = stage::checkout()?.join("agent/docs");
    std::fs::write(docs.join("speed.md"), &page)?;
    std::fs::write(docs.join("speed.svg"), chart::svg(&table))?;
    println!("{page}");
    Ok(())
}

impl Roads {
    async fn lay(set: &Set) -> Outcome<Self> {
        let (target, warehouse) = (set.target, &set.warehouse);
        let chain = Chain::build(&set.stage, target)?;
        let to_database = Chain::build(&set.stage, warehouse.address)?;
        let one = Road::build(&set.stage, Over::One, target, warehouse).await?;
        let two = Road::build(&set.stage, Over::Two, target, warehouse).await?;
        let pid = |process: &crate::process::Process| {
            let pid = process.program();
            pid.and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
        };
        let relay: Vec<u32> = pid(&set.company.hub.process).into_iter().collect();
        let ends = [pid(&set.agent), pid(&set.company.outlet.process)];
        let ours = ends.into_iter().flatten().chain(relay.clone()).collect();
        let databases = Databases::prepare(
            set,
            [to_database.entrance, one.database_tcp, two.database_tcp],
        )
        .await?;
        Ok(Self {
            bytes: [target, chain.entrance, one.bytes, two.bytes, set.inlet],
            pids: [Vec::new(), chain.pids(), one.pids(), two.pids(), ours],
            relay,
            databases,
            _laid: (chain, to_database, one, two),
        })
    }
}

/// Streams, and what the processes of a road pay for one.
fn bulk(roads: &Roads, table: &mut Table) -> Outcome<()> {
    let gbits = |what| Series::more(what, "Gbit/s", 1);
    let mut down = gbits("bulk, one stream down");
    let mut up = gbits("bulk, one stream up");
    let mut down_many = gbits("bulk, 8 streams down");
    let mut up_many = gbits("bulk, 8 streams up");
    let mut cost = Series::less("processor time for 1 GB, all processes", "s", 3);
    let mut relay = Series::less("the relay's part of it", "s", 3);
    for _ in 0..ROUNDS {
        for (road, at) in roads.bytes.into_iter().enumerate() {
            let before = (
                cost::seconds(&roads.pids[road])?,
                cost::seconds(&roads.relay)?,
            );
            down.push(road, bytes::moved(at, Way::Down, 1)?);
            let after = (
                cost::seconds(&roads.pids[road])?,
                cost::seconds(&roads.relay)?,
            );
            cost.push(road, (after.0 - before.0) / GIGABYTES);
            if road == ROADS.len() - 1 {
                relay.push(road, (after.1 - before.1) / GIGABYTES);
            }
        }
        for (road, at) in roads.bytes.into_iter().enumerate() {
            up.push(road, bytes::moved(at, Way::Up, 1)?);
        }
        for (road, at) in roads.bytes.into_iter().enumerate() {
            down_many.push(road, bytes::moved(at, Way::Down, MANY)?);
        }
        for (road, at) in roads.bytes.into_iter().enumerate() {
            up_many.push(road, bytes::moved(at, Way::Up, MANY)?);
        }
    }
    table.extend([down, up, down_many, up_many, cost, relay]);
    Ok(())
}

/// Messages that are answered, and connections that come and go.
fn small(roads: &Roads, table: &mut Table) -> Outcome<()> {
    let mut trips = Series::less("100 bytes there and back", "µs", 1);
    let mut added = Series::less("added to that over direct", "µs", 1);
    let mut visits = Series::more(
        "connect, one round trip, close, 8 at a time",
        "per second",
        0,
    );
    for _ in 0..ROUNDS {
        let mut direct = 0.0;
        for (road, at) in roads.bytes.into_iter().enumerate() {
            let trip = bytes::trip_of(at, MESSAGE)?;
            trips.push(road, trip);
            match road {
                0 => direct = trip,
                _ => added.push(road, trip - direct),
            }
        }
        for (road, at) in roads.bytes.into_iter().enumerate() {
            visits.push(road, bytes::visited(at)?);
        }
    }
    table.extend([trips, added, visits]);
    Ok(())
}

/// What a thousand connections weigh that nobody uses.
fn idle(roads: &Roads, table: &mut Table) -> Outcome<()> {
    let mut weight = Series::less("memory of 1,000 idle connections, all processes", "MiB", 1);
    for (road, at) in roads.bytes.into_iter().enumerate().skip(1) {
        let alone = cost::memory(&roads.pids[road])?;
        let connections = memory::many(at)?;
        weight.push(road, cost::memory(&roads.pids[road])? - alone);
        drop(connections);
    }
    table.extend([weight]);
    Ok(())
}
