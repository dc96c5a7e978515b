//! The figures for a closing note: Tidegate against `ssh -J` and against nothing, in one run on one machine.
//! Only ratios are worth quoting: absolute numbers change from minute to minute, so the two are always measured in turn.

pub mod app;
mod bytes;
mod memory;
mod queries;
mod set;
pub mod speed;
mod ssh;
mod table;
mod tls;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::trouble::Outcome;
use set::Set;

const START: Duration = Duration::from_secs(60);

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
    let set = Set::build().await?;
    let ssh = ssh::Road::build(&set.stage, ssh::Over::Two, set.target, &set.warehouse).await?;
    let roads = [set.target, ssh.bytes, set.inlet];

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
    let queries = queries::per_second(&set.warehouse, &set.ca, &ssh).await?;
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
    let weight = (figures == Figures::All).then(|| memory::idle_and_busy(&set.agent, set.inlet));
    println!("{}", table::markdown(&rows, weight.transpose()?.as_ref()));

    drop(ssh);
    set.close().await
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
