//! The company Acme: an administrator with the root key, a hub on the internet, an outlet beside the database.
//! All of it is the real `tidegate` binary with its real command line; nothing here links against the product.

mod admin;
mod blueprint;
mod firm;
mod hub;
mod outlet;
mod relay;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use admin::Admin;
use blueprint::Printed;
pub use blueprint::{Blueprint, TcpService};
pub use firm::Firm;
pub use hub::Hub;
pub use outlet::Outlet;
pub use relay::Relay;

use crate::process::Program;
use crate::stage::Stage;
use crate::trouble::{Outcome, Trouble};
use crate::user::User;
use crate::{Site, clock};

/// The company of the scene; see `Firm` for another one beside it.
pub const ORG: &str = "acme";
pub const SERVICE: &str = "warehouse";
/// Where the service's port on the laptop is, as the catalogue says and the notebook expects.
pub const SERVICE_PORT: u16 = 15432;

pub struct Company {
    pub admin: Admin,
    pub hub: Hub,
    /// The one that is not in the hub, where there is one.
    pub relay: Option<Relay>,
    pub outlet: Outlet,
}

impl Company {
    /// Plays the administrator's part: keys, settings, signature, then hub and outlet are started.
    ///
    /// # Errors
    /// When a step fails, with what the command said.
    pub async fn found(stage: &Arc<Stage>, plan: &Blueprint<'_>) -> Outcome<Self> {
        let firm = plan.firm;
        let hub_address = firm.hub_address(stage)?;
        if let (Firm::Beta, Some(network)) = (firm, stage.ground().network()) {
            network.let_out_to_beta()?;
        }
        let relay = match plan.own_relay {
            true => Some((relay::address(stage)?, relay::keys(stage).await?)),
            false => None,
        };
        let hub_keys = hub::keys(stage, firm).await?;
        let outlet_keys = outlet::keys(stage, firm).await?;
        let admin = Admin::init(stage, firm).await?;
        let printed = Printed {
            hub: &hub_keys,
            outlet: (!plan.outlet_by_ticket).then_some(&outlet_keys),
            relay: relay.as_ref().map(|(at, keys)| (at.as_str(), keys)),
        };
        admin.write_settings(plan, &plan.org_settings(&hub_address, &printed))?;
        let bundle = admin.sign().await?;
        let hub = Hub::start(stage, &admin, &hub_address, &bundle).await?;
        let relay = match &relay {
            Some((at, _)) => Some(Relay::start(stage, &admin, at, &hub_address).await?),
            None => None,
        };
        let settings = plan.outlet_settings(&admin.root, &hub_address);
        let outlet = Outlet::set_up(stage, plan, &settings, &outlet_keys)?;
        if plan.outlet_by_ticket {
            outlet.enrol(&admin.outlet_ticket().await?).await?;
        }
        let outlet = outlet.start().await?;
        Ok(Self {
            admin,
            hub,
            relay,
            outlet,
        })
    }

    /// Asks all of them to end, as a service manager would.
    ///
    /// # Errors
    /// When one of them does not end in time or not well.
    pub async fn stop(self) -> Outcome<()> {
        let relay = self.relay.map(|relay| relay.process);
        let all = [Some(self.outlet.process), relay, Some(self.hub.process)];
        for process in all.into_iter().flatten() {
            let name = process.name().to_owned();
            let status = process.stop(Duration::from_secs(10)).await?;
            if !status.success() {
                return Err(Trouble::new(format!(
                    "{name} ended with {status} when it was asked to stop"
                )));
            }
        }
        Ok(())
    }
}

/// The product's command, by one of its users at one of its places.
fn tidegate(stage: &Stage, name: &str, site: Site, user: User) -> Outcome<Program> {
    let binary: PathBuf = stage.binary("tidegate")?;
    let program = Program::new(name, site, user, binary).env("TIDEGATE_LOG", "info");
    let wall = match site {
        Site::Private => clock::Wall::Outlet,
        Site::Internet | Site::Cafe => clock::Wall::Hub,
    };
    Ok(program.through(clock::read_on(stage, wall)))
}
