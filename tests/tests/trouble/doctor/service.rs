//! What can be wrong behind the hub: no outlet, rules that forbid, a database that is closed, changed its password or its certificate, a query that is refused.
//! The person at the laptop is told whose affair it is; the owner's doctor beside the database names the line to write.

use std::time::{Duration, Instant};

use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::warehouse::{DATABASE, LOGIN};
use tidegate_tests::{CertificateAuthority, secret};

use super::outlet;
use crate::ana::Ana;

const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn play(narrator: &Narrator, world: &mut World, ana: &Ana) {
    let _ = narrator
        .step("an_outlet_that_is_gone_is_blamed_alone", gone(world, ana))
        .await;
    let _ = narrator
        .step("rules_that_forbid_are_blamed_alone", forbidden(world, ana))
        .await;
    let _ = narrator
        .step(
            "a_closed_database_is_blamed_at_both_ends",
            closed(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_changed_password_is_blamed_at_both_ends",
            password(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_certificate_of_another_ca_is_blamed_at_both_ends",
            wrong_ca(world, ana),
        )
        .await;
    let _ = narrator
        .step("a_query_that_is_refused_is_blamed_alone", query(world, ana))
        .await;
}

impl Ana {
    async fn service_is_well(&self, world: &World) -> Outcome<()> {
        self.doctor_of(world, "service-mended", SERVICE)
            .await?
            .is_well()
    }
}

async fn gone(world: &mut World, ana: &Ana) -> Outcome<()> {
    world.company.outlet.process.kill();
    let found = ana.doctor_of(world, "outlet-gone", SERVICE).await;
    world.company.outlet.start_again().await?;
    found?.blames("outlet", &["TG-1004", "owner"])?;
    ana.service_is_well(world).await
}

async fn forbidden(world: &mut World, ana: &Ana) -> Outcome<()> {
    let outlet = &mut world.company.outlet;
    let before = outlet.read("owner.cedar")?;
    outlet.write("owner.cedar", &before.replace("Data Science", "Finance"))?;
    outlet.restart().await?;
    let found = ana.doctor_of(world, "forbidden", SERVICE).await;
    let outlet = &mut world.company.outlet;
    outlet.write("owner.cedar", &before)?;
    outlet.restart().await?;
    found?.blames("access", &["TG-2001"])?;
    ana.service_is_well(world).await
}

async fn closed(world: &mut World, ana: &Ana) -> Outcome<()> {
    world.warehouse.pause().await?;
    let found = ana.doctor_of(world, "database-closed", SERVICE).await;
    let owner = outlet::examine(world, "database-closed").await;
    world.warehouse.resume().await?;
    found?.blames("database", &["TG-5001"])?;
    owner?.blames("target", &["listen_addresses"])?;
    outlet::examine(world, "mended").await?.is_well()?;
    ana.service_is_well(world).await
}

async fn password(world: &mut World, ana: &Ana) -> Outcome<()> {
    let other = secret::text();
    let change = |to: &str| format!("alter role {LOGIN} password '{to}'");
    world.warehouse.order(&change(&other)).await?;
    let found = ana.doctor_of(world, "password", SERVICE).await;
    let owner = outlet::examine(world, "password").await;
    let right = world.warehouse.password.clone();
    world.warehouse.order(&change(&right)).await?;
    found?.blames("database", &["TG-5002", "owner"])?;
    owner?.blames("database", &["ALTER ROLE", LOGIN])?;
    outlet::examine(world, "mended").await?.is_well()?;
    ana.service_is_well(world).await
}

async fn wrong_ca(world: &mut World, ana: &Ana) -> Outcome<()> {
    let other = CertificateAuthority::new("Another CA")?;
    let outlet = &mut world.company.outlet;
    let right = outlet.read("acme-ca.pem")?;
    outlet.write("acme-ca.pem", other.pem())?;
    outlet.restart().await?;
    let found = ana.doctor_of(world, "wrong-ca", SERVICE).await;
    let owner = outlet::examine(world, "wrong-ca").await;
    let outlet = &mut world.company.outlet;
    outlet.write("acme-ca.pem", &right)?;
    outlet.restart().await?;
    found?.blames("database", &["TG-5003", "owner"])?;
    owner?.blames("database", &["ca_file", "openssl"])?;
    outlet::examine(world, "mended").await?.is_well()?;
    ana.service_is_well(world).await
}

/// She wrote a limit into agent.toml, and a program of hers uses it up.
async fn query(world: &mut World, ana: &Ana) -> Outcome<()> {
    let set = ["config", "set", "max_connections", "1"];
    ana.laptop
        .terminal("doctor-limit", &ana.tidegate, &set)
        .await?;
    let agent = ana.connect(world).await?;
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let psql = ana
        .laptop
        .program("doctor-psql", "psql")
        .args(["-X", "-c", "select pg_sleep(600)", &url])
        .start(&world.stage)?;
    let until = Instant::now() + LIMIT;
    while world.warehouse.running_queries().await? == 0 {
        if Instant::now() > until {
            return Err(Trouble::new(format!(
                "the query never ran: {}",
                psql.stderr()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = ana.doctor_of(world, "query", SERVICE).await;
    drop(psql);
    drop(agent);
    let unset = ["config", "unset", "max_connections"];
    ana.laptop
        .terminal("doctor-no-limit", &ana.tidegate, &unset)
        .await?;
    found?.blames("query", &["TG-5009", "limit"])?;
    ana.service_is_well(world).await
}
