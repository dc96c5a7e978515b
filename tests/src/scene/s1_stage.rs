//! Step 1: provider, database, company. Everything that exists before Ana opens her laptop.
//! The administrator's commands are the real ones; see `company`.

use std::sync::Arc;

use super::World;
use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company};
use crate::narrator::Narrator;
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::Outcome;
use crate::warehouse::Warehouse;

pub(super) async fn set(
    narrator: &Narrator,
    stage: Arc<Stage>,
    change: impl FnOnce(Blueprint<'_>) -> Blueprint<'_>,
) -> Outcome<World> {
    let ca = CertificateAuthority::new("Acme internal CA")?;
    let provider = Provider::start(&stage, &ca).await?;
    narrator.say(format!("OpenID provider   {}", provider.issuer));
    let warehouse = Warehouse::start(&stage, &ca).await?;
    narrator.say(format!(
        "PostgreSQL 15     {} (SCRAM and TLS only, 336,776 flights)",
        warehouse.host
    ));
    let plan = change(Blueprint::new(&provider, &warehouse, &ca));
    let company = Company::found(&stage, &plan).await?;
    narrator.say(format!("hub               {}", company.hub.address));
    narrator.say("outlet            beside the database, dials out only");
    narrator.say(format!("org root key      {}", company.admin.root));
    Ok(World {
        stage,
        ca,
        provider,
        warehouse,
        company,
    })
}
