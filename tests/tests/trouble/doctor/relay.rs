//! The doctor of a relay of its own, beside the running one: the hub's name, a firewall, another org's root, a key that nobody signed, a clock.
//! What lies in files, and the port, are broken in the command's own tests.

use std::time::Duration;

use tidegate_tests::ground::HUB_PORT;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome};
use tidegate_tests::{Program, Site, User};

use super::found::Found;

const HUB: &str = "hub.acme.example";
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn play(narrator: &Narrator, world: &World) {
    let well = narrator.step("a_relay_that_runs_has_nothing_to_mend", async {
        examine(world, "well").await?.is_well()
    });
    if well.await.is_err() {
        return;
    }
    if world.stage.ground().network().is_some() {
        let _ = narrator
            .step(
                "a_relay_blames_a_name_that_nobody_knows_alone",
                unknown(world),
            )
            .await;
        let _ = narrator
            .step(
                "a_relay_blames_a_firewall_before_the_hub_alone",
                firewall(world),
            )
            .await;
    }
    let _ = narrator
        .step(
            "a_relay_blames_a_root_that_is_not_the_hubs_alone",
            wrong_root(world),
        )
        .await;
    let _ = narrator
        .step("a_relay_that_nobody_signed_is_told_so", unsigned(world))
        .await;
    let _ = narrator
        .step("a_relay_blames_its_own_clock_alone", clock(world))
        .await;
}

async fn examine(world: &World, name: &str) -> Outcome<Found> {
    let program = program(name, world.stage.binary("tidegate")?);
    Found::by(told(program, "relay.toml"), world).await
}

fn program(name: &str, binary: impl Into<std::ffi::OsString>) -> Program {
    let name = format!("relay-doctor-{name}");
    Program::new(&name, Site::Internet, User::Relay, binary)
}

fn told(program: Program, config: &str) -> Program {
    program.args(["relay", "doctor", "--json", "--config", config])
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
    // Only new ways are closed: the relay that runs keeps its own.
    let rule = format!("tcp dport {HUB_PORT} tcp flags & (syn | ack) == syn drop");
    let closed = network.close(Site::Internet, &rule)?;
    let found = examine(world, "firewall").await;
    drop(closed);
    found?.blames("hub", &["TG-1001", "firewall"])?;
    examine(world, "mended").await?.is_well()
}

/// The relay's settings with other values, under another name.
async fn examine_with(world: &World, name: &str, changes: &[(&str, &str)]) -> Outcome<Found> {
    let home = world.stage.run().home(User::Relay);
    let text = std::fs::read_to_string(home.join("relay.toml"))?;
    let change = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    let text = changes.iter().fold(text, change);
    let config = format!("{name}.toml");
    let file = home.join(&config);
    world.stage.run().private_file(User::Relay, &file, text)?;
    let program = program(name, world.stage.binary("tidegate")?);
    Found::by(told(program, &config), world).await
}

async fn wrong_root(world: &World) -> Outcome<()> {
    let other = "A".repeat(43);
    let changes = [(&*world.company.admin.root, &*other)];
    let found = examine_with(world, "wrong-root", &changes).await?;
    found.blames("hub", &["TG-1007", "fingerprint"])?;
    examine(world, "mended").await?.is_well()
}

/// A key of its own that stands in no org.toml, and a port beside that of the relay that runs.
async fn unsigned(world: &World) -> Outcome<()> {
    let make = program("keys", world.stage.binary("tidegate")?);
    make.args(["relay", "keys", "--data", "other-data"])
        .output(&world.stage, LIMIT)
        .await?;
    let home = world.stage.run().home(User::Relay);
    let data = home.join("data");
    let data = format!("\"{}\"", data.display());
    let here = std::fs::read_to_string(home.join("relay.toml"))?;
    let line = here
        .lines()
        .find(|line| line.starts_with("listen"))
        .doing("find the port")?;
    let elsewhere = format!(
        "listen = \"{}:{}\"",
        world.stage.ground().hub(),
        world.stage.port(7445)?
    );
    let changes = [(&*data, "\"other-data\""), (line, &*elsewhere)];
    let found = examine_with(world, "unsigned", &changes).await?;
    found.blames("authority", &["org.toml", "[[relay]]", "sign"])?;
    examine(world, "mended").await?.is_well()
}

async fn clock(world: &World) -> Outcome<()> {
    let tidegate = world.stage.binary("tidegate")?;
    let faked = program("clock", "faketime")
        .args(["-f", "-10m"])
        .arg(tidegate)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let found = Found::by(told(faked, "relay.toml"), world).await?;
    found.blames("clock", &["TG-1006", "NTP"])?;
    examine(world, "mended").await?.is_well()
}
