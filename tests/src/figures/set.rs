//! What is measured: one company, one laptop and its agent with both services connected, on loopback, and a server of plain bytes.
//! The roads to compare with are laid beside it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::bytes;
use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company, TcpService};
use crate::laptop::Laptop;
use crate::process::Process;
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::Outcome;
use crate::user::User;
use crate::warehouse::Warehouse;

const BULK: &str = "bulk";
const BULK_PORT: u16 = 18999;
/// A thousand idle portals, and room for what else is going on.
const CIRCUITS: usize = 1200;

pub(super) struct Set {
    pub(super) stage: Arc<Stage>,
    pub(super) ca: CertificateAuthority,
    pub(super) warehouse: Warehouse,
    pub(super) company: Company,
    pub(super) agent: Process,
    /// The server of plain bytes.
    pub(super) target: SocketAddr,
    /// Where its service begins on the laptop.
    pub(super) inlet: SocketAddr,
    provider: Provider,
    laptop: Laptop,
}

impl Set {
    pub(super) async fn build() -> Outcome<Self> {
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
        let connect = ["connect", BULK];
        laptop
            .terminal("connect-bulk", stage.binary("tidegate")?, &connect)
            .await?;
        Ok(Self {
            stage,
            ca,
            warehouse,
            company,
            agent,
            target,
            inlet: SocketAddr::from(([127, 0, 0, 1], BULK_PORT)),
            provider,
            laptop,
        })
    }

    pub(super) async fn close(self) -> Outcome<()> {
        drop((self.agent, self.laptop));
        self.company.stop().await?;
        drop((self.warehouse, self.provider));
        self.stage.close()
    }
}
