//! The figures for a closing note: Tidegate against `ssh -J` and against nothing, in one run on one machine.
//! Only ratios are worth quoting: absolute numbers change from minute to minute, so the two are always measured in turn.

mod bytes;
mod memory;
mod queries;
mod ssh;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company, SERVICE, SERVICE_PORT, TcpService};
use crate::laptop::Laptop;
use crate::process::Process;
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::Outcome;
use crate::warehouse::Warehouse;

const BULK: &str = "bulk";
const BULK_PORT: u16 = 18999;
const START: Duration = Duration::from_secs(60);

/// Measures everything and prints it.
///
/// # Errors
/// When a part does not come up; figures themselves are never an error.
pub async fn measure() -> Outcome<()> {
    let stage = Stage::set_on_loopback("figures need a road without an emulator in it")?;
    let target = bytes::serve()?;
    let ca = CertificateAuthority::new("Acme figures CA")?;
    let provider = Provider::start(&stage, &ca).await?;
    let warehouse = Warehouse::start(&stage, &ca).await?;
    let bulk = TcpService {
        name: BULK.to_owned(),
        target,
        port: BULK_PORT,
    };
    let plan = Blueprint::new(&provider, &warehouse, &ca).with(bulk);
    let company = Company::found(&stage, &plan).await?;
    let laptop = Laptop::switch_on(&stage, &ca).await?;
    let agent = connect(&stage, &laptop, &company, &provider).await?;
    let ssh = ssh::Road::build(&stage, target).await?;
    let tidegate = SocketAddr::from(([127, 0, 0, 1], BULK_PORT));

    println!("One stream, 1 GiB down, five times in turn (median):");
    bytes::compare_bulk(&[
        ("direct", target),
        ("ssh -J", ssh.entrance),
        ("tidegate", tidegate),
    ])?;
    println!("Round trip of one byte (median of 2,000):");
    bytes::compare_round_trips(&[
        ("direct", target),
        ("ssh -J", ssh.entrance),
        ("tidegate", tidegate),
    ])?;
    println!("New connection, one query, closed again, one after the other for 5 s:");
    queries::compare(&warehouse).await?;
    println!("Memory of the agent (resident):");
    memory::idle_and_busy(&agent, tidegate)?;

    drop((ssh, agent, laptop));
    company.stop().await?;
    drop((warehouse, provider));
    stage.close()
}

/// One agent for both services; the second command finds the first one's.
async fn connect(
    stage: &Arc<Stage>,
    laptop: &Laptop,
    company: &Company,
    provider: &Provider,
) -> Outcome<Process> {
    let tidegate = stage.binary("tidegate")?;
    let link = company.admin.ticket(&provider.ana).await?;
    laptop.terminal("join", &tidegate, &["join", &link]).await?;
    let mut agent = laptop
        .program("agent", &tidegate)
        .args(["connect", SERVICE])
        .start(stage)?;
    let browser = laptop.browser().await?;
    browser.sign_in(&provider.ana, None).await?;
    agent.says(&SERVICE_PORT.to_string(), START).await?;
    browser.let_go().await?;
    laptop
        .terminal("connect-bulk", &tidegate, &["connect", BULK])
        .await?;
    Ok(agent)
}
