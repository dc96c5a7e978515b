//! Two organisations at a terminal, each with a hub and an outlet of its own, and both call a service `warehouse`.
//! The bare name is asked about, never guessed; with its organisation before it each is reached, both at once.

use tidegate_tests::company::{Blueprint, Company, Firm, SERVICE_PORT};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};

use super::{LIMIT, said, until};
use crate::ana::{Ana, must_say};

const ASKED: &str = "acme/warehouse or beta/warehouse";

pub(super) async fn two_orgs(world: &World, ana: &Ana) -> Outcome<()> {
    let plan = Blueprint::new(&world.provider, &world.warehouse, &world.ca).of(Firm::Beta);
    let beta = Company::found(&world.stage, &plan).await?;
    let link = beta.admin.ticket(&world.provider.ana).await?;
    ana.laptop.join(&link).await?;
    let login = ana.laptop.program("login-beta", &ana.tidegate);
    let login = login.args(["login", "beta", "--no-browser"]);
    let mut login = login.start(&world.stage)?;
    let person = &world.provider.ana;
    ana.laptop.visit(&mut login, person, &world.ca).await?;
    login.says("Signed in as", LIMIT).await?;
    login.ended(LIMIT).await?;

    for verb in ["connect", "dsn", "env", "doctor", "disconnect"] {
        let asked = ana.laptop.program("which-org", &ana.tidegate);
        let asked = said(asked.args([verb, "warehouse"]), world).await?;
        let runs = if verb == "disconnect" {
            "not running"
        } else {
            ASKED
        };
        must_say(&asked.text, &[runs])?;
        if asked.code == Some(0) {
            return Err(Trouble::new(format!("{verb} chose one")));
        }
    }
    both_at_once(world, ana).await?;

    ana.types("leave-beta", &["leave", "beta", "--yes"]).await?;
    let dsn = ana.types("dsn-alone", &["dsn", "warehouse"]).await?;
    must_say(&dsn, &[&SERVICE_PORT.to_string()])?;
    beta.stop().await
}

async fn both_at_once(world: &World, ana: &Ana) -> Outcome<()> {
    let first = ana.laptop.program("connect-acme", &ana.tidegate);
    let first = first.args(["connect", "acme/warehouse"]);
    let mut first = first.start(&world.stage)?;
    first.says("postgresql://", LIMIT).await?;
    ana.types("connect-beta", &["connect", "beta/warehouse"])
        .await?;
    let names = ana.types("names", &["ls", "--names"]).await?;
    must_say(&names, &["acme/warehouse", "beta/warehouse"])?;
    let other = port_of(ana, "beta/warehouse").await?;
    for port in [SERVICE_PORT, other] {
        must_say(&ana.asks_at(port).await?, &["42"])?;
    }

    let which = ana.laptop.program("disconnect-which", &ana.tidegate);
    let which = said(which.args(["disconnect", "warehouse"]), world).await?;
    must_say(&which.text, &[ASKED])?;
    ana.types("disconnect-beta", &["disconnect", "beta/warehouse"])
        .await?;
    until(
        async || Ok(ana.asks_at(other).await.is_err()),
        |closed| *closed,
    )
    .await?;
    must_say(&ana.asks_at(SERVICE_PORT).await?, &["42"])
}

async fn port_of(ana: &Ana, service: &str) -> Outcome<u16> {
    let dsn = ana.types("dsn-beta", &["dsn", service, "--json"]).await?;
    let dsn: serde_json::Value = serde_json::from_str(&dsn)?;
    let port = dsn["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok());
    match port {
        Some(port) if port != SERVICE_PORT => Ok(port),
        _ => Err(Trouble::new(format!(
            "{service} has no port of its own: {dsn}"
        ))),
    }
}
