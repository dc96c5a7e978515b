//! What the agent weighs, alone and with a thousand idle portals.
//! Resident memory from `/proc`: it counts shared pages too, so it is an upper bound.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::table::Weight;
use crate::process::Process;
use crate::trouble::{Doing, Outcome};

const PORTALS: usize = 1000;
/// For what opening them took to be given back.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) fn idle_and_busy(agent: &Process, road: SocketAddr) -> Outcome<Weight> {
    let idle = resident(agent)?;
    let portals = many(road)?;
    Ok(Weight {
        idle,
        portals: portals.len(),
        busy: resident(agent)?,
    })
}

/// A thousand idle connections over one road, settled.
pub(super) fn many(road: SocketAddr) -> Outcome<Vec<TcpStream>> {
    let mut portals = Vec::new();
    for number in 1..=PORTALS {
        let portal = open(road).doing(format!("open portal {number}"))?;
        portals.push(portal);
    }
    std::thread::sleep(SETTLE);
    Ok(portals)
}

/// One byte there and back: the portal is really open.
fn open(road: SocketAddr) -> std::io::Result<TcpStream> {
    let mut portal = super::bytes::ask(road, 0)?;
    portal.write_all(b"x")?;
    portal.read_exact(&mut [0])?;
    Ok(portal)
}

fn resident(agent: &Process) -> Outcome<f64> {
    let pid = agent.program().doing("find the agent")?.as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .doing("read the agent's memory")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
