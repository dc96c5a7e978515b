//! The owner's doctor, beside a running outlet: names, firewall, another org's key, an outlet that nobody signed, a clock.
//! What lies in files, and each fault of a login, is broken in the outlet's own tests, at a real PostgreSQL.

use std::time::Duration;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome};
use tidegate_tests::{Program, Site, User, ground};

use super::found::Found;

const LIMIT: Duration = Duration::from_secs(20);
const HUB: &str = "hub.acme.example";

pub(super) async fn play(narrator: &Narrator, world: &mut World) {
    if world.stage.ground().network().is_some() {
        let _ = narrator
            .step(
                "an_outlet_blames_a_name_that_nobody_knows_alone",
                unknown(world),
            )
            .await;
        let _ = narrator
            .step(
                "an_outlet_blames_a_firewall_before_the_hub_alone",
                firewall(world),
            )
            .await;
    }
    let _ = narrator
        .step(
            "an_outlet_blames_a_root_that_is_not_the_hubs_alone",
            wrong_root(world),
        )
        .await;
    let _ = narrator
        .step("an_outlet_that_nobody_signed_is_told_so", unsigned(world))
        .await;
    let _ = narrator
        .step("an_outlet_blames_its_own_clock_alone", clock(world))
        .await;
}

pub(super) async fn examine(world: &World, name: &str) -> Outcome<Found> {
    let program = program(name, world.stage.binary("tidegate")?);
    Found::by(told(program, "outlet.toml"), world).await
}

fn program(name: &str, binary: impl Into<std::ffi::OsString>) -> Program {
    let name = format!("outlet-doctor-{name}");
    Program::new(&name, Site::Private, User::Outlet, binary)
}

fn told(program: Program, config: &str) -> Program {
    program.args(["outlet", "doctor", "--json", "--config", config])
}

async fn examine_with(world: &World, name: &str, config: &str) -> Outcome<Found> {
    let program = program(name, world.stage.binary("tidegate")?);
    Found::by(told(program, config), world).await
}

async fn unknown(world: &World) -> Outcome<()> {
    let lie = world.stage.lie_about(HUB, None)?;
    let found = examine(world, "dns").await;
    drop(lie);
    found?.blames("dns", &[HUB, "resolver"])?;
    examine(world, "mended").await?.is_well()
}

async fn firewall(world: &World) -> Outcome<()> {
    let network = world.stage.ground().network().doing("find the network")?;
    let rule = format!("tcp dport {} drop", ground::HUB_PORT);
    // A running link goes on: only new ways are closed.
    let closed = network.close(Site::Private, &format!("ct state new {rule}"))?;
    let found = examine(world, "firewall").await;
    drop(closed);
    found?.blames("hub", &["TG-1001", "firewall"])?;
    examine(world, "mended").await?.is_well()
}

async fn wrong_root(world: &World) -> Outcome<()> {
    let outlet = &world.company.outlet;
    let other = "A".repeat(43);
    let wrong = outlet
        .read("outlet.toml")?
        .replace(&world.company.admin.root, &other);
    outlet.write("wrong-root.toml", &wrong)?;
    let found = examine_with(world, "root", "wrong-root.toml").await?;
    found.blames("hub", &["TG-1007", "fingerprint"])?;
    examine(world, "mended").await?.is_well()
}

/// Keys of its own that stand in no org.toml.
async fn unsigned(world: &World) -> Outcome<()> {
    let outlet = &world.company.outlet;
    let make = program("keys", world.stage.binary("tidegate")?);
    make.args(["outlet", "keys", "--data", "other-data"])
        .output(&world.stage, LIMIT)
        .await?;
    let other = outlet
        .read("outlet.toml")?
        .replace("data = \"data\"", "data = \"other-data\"");
    outlet.write("unsigned.toml", &other)?;
    let found = examine_with(world, "unsigned", "unsigned.toml").await?;
    found.blames("authority", &["org.toml", "sign"])?;
    examine(world, "mended").await?.is_well()
}

async fn clock(world: &World) -> Outcome<()> {
    let tidegate = world.stage.binary("tidegate")?;
    let faked = program("clock", "faketime")
        .args(["-f", "-10m"])
        .arg(tidegate)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let found = Found::by(told(faked, "outlet.toml"), world).await?;
    found.blames("clock", &["TG-1006"])?;
    examine(world, "mended").await?.is_well()
}
