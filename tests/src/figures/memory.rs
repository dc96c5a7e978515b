//! What the agent weighs, alone and with a thousand idle portals.
//! Resident memory from `/proc`: it counts shared pages too, so it is an upper bound.

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::Process;
use crate::trouble::{Doing, Outcome};

const PORTALS: usize = 1000;

pub(super) fn idle_and_busy(agent: &Process, road: SocketAddr) -> Outcome<()> {
    println!("  {:<24} {:>6.1} MiB", "idle", resident(agent)?);
    let mut portals = Vec::new();
    for _ in 0..PORTALS {
        let mut portal = super::bytes::ask(road, 0).doing("open one more portal")?;
        // One byte there and back: the portal is really open.
        std::io::Write::write_all(&mut portal, b"x")?;
        std::io::Read::read_exact(&mut portal, &mut [0])?;
        portals.push(portal);
    }
    std::thread::sleep(Duration::from_secs(2));
    println!(
        "  {:<24} {:>6.1} MiB",
        "with 1,000 idle portals",
        resident(agent)?
    );
    Ok(())
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
