//! The database at the end of all roads: many short queries, and tables that are copied out.
//! Everybody comes by TCP and TLS, as an outlet always does; on Tidegate's road that is the outlet's part.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::series::{Series, Table};
use super::{ROADS, ROUNDS};
use crate::company::SERVICE_PORT;
use crate::figures::set::Set;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::warehouse::{DATABASE, LOGIN, Warehouse};

/// Rows of what `pgbench` asks for, in its units of 100,000.
const SCALE: &str = "5";
/// Seconds that `pgbench` asks, and at how many connections at a time.
const SECONDS: &str = "3";
const CLIENTS: &str = "8";
/// About 200 MB each: many rows of four short columns, and fewer of one long one.
const TABLES: &str = "create unlogged table narrow as select n as a, n % 1000 as b, n * 0.5 as c, 'row ' || n as d \
                      from generate_series(1, 5000000) n;\
                      create unlogged table wide as select n as a, repeat(md5(n::text), 31) as b \
                      from generate_series(1, 200000) n;\
                      grant select on all tables in schema public to warehouse_login";
const LIMIT: Duration = Duration::from_secs(120);

/// The ways to the database, by road.
pub(super) struct Databases {
    ways: [String; ROADS.len()],
    password: String,
}

impl Databases {
    /// Makes the tables; `others`: the plain chain's way in and those of both kinds of `ssh`.
    pub(super) async fn prepare(set: &Set, others: [SocketAddr; 3]) -> Outcome<Self> {
        let warehouse = &set.warehouse;
        fill(warehouse).await?;
        let tls = |at: SocketAddr| {
            let (host, port) = (at.ip(), at.port());
            format!("host={host} port={port} dbname={DATABASE} user={LOGIN} sslmode=require")
        };
        let [chain, one, two] = others.map(tls);
        let inlet = format!(
            "host=127.0.0.1 port={SERVICE_PORT} dbname={DATABASE} user={LOGIN} sslmode=disable"
        );
        Ok(Self {
            ways: [tls(warehouse.address), chain, one, two, inlet],
            password: warehouse.password.clone(),
        })
    }

    pub(super) async fn ask(&self, table: &mut Table) -> Outcome<()> {
        let mut queries = Series::more("pgbench -S -c 8", "per second", 0);
        let mut narrow = Series::less("COPY of 5,000,000 narrow rows", "s", 2);
        let mut wide = Series::less("COPY of 200,000 rows of 1 kB", "s", 2);
        for _ in 0..ROUNDS {
            for (road, way) in self.ways.iter().enumerate() {
                queries.push(road, self.queries(way).await?);
            }
            for (road, way) in self.ways.iter().enumerate() {
                narrow.push(road, self.copy(way, "narrow").await?);
            }
            for (road, way) in self.ways.iter().enumerate() {
                wide.push(road, self.copy(way, "wide").await?);
            }
        }
        table.extend([queries, narrow, wide]);
        Ok(())
    }

    async fn queries(&self, way: &str) -> Outcome<f64> {
        let words = ["-n", "-S", "-c", CLIENTS, "-j", "2", "-T", SECONDS, way];
        let said = run("pgbench", &words, &self.password).await?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split_whitespace().next());
        Ok(rate.doing(format!("find the rate in {said}"))?.parse()?)
    }

    /// Seconds from the program's start to its end.
    async fn copy(&self, way: &str, table: &str) -> Outcome<f64> {
        let copy = format!("\\copy {table} to /dev/null");
        let started = Instant::now();
        run("psql", &["-X", "-q", "-c", &copy, way], &self.password).await?;
        Ok(started.elapsed().as_secs_f64())
    }
}

/// As its administrator, by the Unix socket.
async fn fill(warehouse: &Warehouse) -> Outcome<()> {
    let (host, port) = (warehouse.socket().display(), warehouse.address.port());
    let way = format!("host={host} port={port} dbname={DATABASE} user=postgres");
    let password = &warehouse.admin_password;
    run("pgbench", &["-i", "-q", "-s", SCALE, &way], password).await?;
    run("psql", &["-X", "-q", "-c", TABLES, &way], password).await?;
    run(
        "psql",
        &["-X", "-q", "-c", "vacuum analyze", &way],
        password,
    )
    .await?;
    Ok(())
}

/// What a program of PostgreSQL said; its password is in its environment and nowhere else.
async fn run(program: &str, words: &[&str], password: &str) -> Outcome<String> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(words)
        .env("PGPASSWORD", password)
        .kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.output()).await;
    let output = ended.doing(format!("wait for {program}"))?;
    let output = output.doing(format!("start {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Trouble::new(format!("{program} failed: {said}")))
}
