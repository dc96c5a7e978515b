//! What can be wrong on the way: the hub's name, who answers there, a firewall, the relay, the provider, the session, the age of what was signed.
//! Where the stage has no network of its own (loopback), what needs one is left out, and said.

use std::time::Duration;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome};
use tidegate_tests::{Program, Site, User, ground};

use crate::ana::Ana;

const LIMIT: Duration = Duration::from_secs(20);
const HUB: &str = "hub.acme.example";

/// Sends whoever comes to its own page.
const PORTAL: &str = r#"
import socket, sys
door = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("open", flush=True)
while True:
    guest, _ = door.accept()
    guest.recv(4096)
    guest.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")
    guest.close()
"#;

pub(super) async fn play(narrator: &Narrator, world: &mut World, ana: &Ana) {
    if world.stage.ground().network().is_none() {
        narrator
            .say("On loopback nobody can lie about names or close the way: those are left out.");
    } else {
        let _ = narrator
            .step(
                "a_name_that_nobody_knows_is_blamed_alone",
                unknown(world, ana),
            )
            .await;
        let _ = narrator
            .step(
                "a_name_that_leads_to_somebody_else_is_noticed",
                lying(world, ana),
            )
            .await;
        let _ = narrator
            .step(
                "a_firewall_before_the_hub_is_blamed_alone",
                firewall(world, ana),
            )
            .await;
        let _ = narrator
            .step("a_closed_provider_is_blamed_alone", closed(world, ana))
            .await;
    }
    let _ = narrator
        .step("a_provider_that_hangs_is_blamed_alone", hangs(world, ana))
        .await;
    let _ = narrator
        .step(
            "a_session_that_was_ended_is_blamed_alone",
            account(world, ana),
        )
        .await;
    let _ = narrator
        .step("a_relay_that_is_gone_is_blamed_alone", relay(world, ana))
        .await;
    let _ = narrator
        .step(
            "a_device_that_was_shut_out_is_blamed_alone",
            shut_out(world, ana),
        )
        .await;
}

async fn unknown(world: &World, ana: &Ana) -> Outcome<()> {
    let lie = world.stage.lie_about(HUB, None)?;
    let found = ana.doctor(world, "dns").await;
    drop(lie);
    found?.blames("dns", &[HUB, "network"])?;
    ana.is_well(world).await
}

/// As behind a captive portal: the name leads to a web server.
async fn lying(world: &World, ana: &Ana) -> Outcome<()> {
    let provider = world.stage.ground().provider();
    let port = ground::HUB_PORT.to_string();
    let mut somebody = Program::new("somebody", Site::Internet, User::Provider, "python3")
        .args(["-c", PORTAL, &provider.to_string(), &port])
        .start(&world.stage)?;
    somebody.says("open", LIMIT).await?;
    let lie = world.stage.lie_about(HUB, Some(provider))?;
    let found = ana.doctor(world, "lying").await;
    drop(lie);
    found?.blames("hub", &[HUB])?;
    drop(somebody);
    ana.is_well(world).await
}

async fn firewall(world: &World, ana: &Ana) -> Outcome<()> {
    let network = world.stage.ground().network().doing("find the network")?;
    let port = ground::HUB_PORT;
    let closed = network.close(Site::Cafe, &format!("tcp dport {port} drop"))?;
    let found = ana.doctor(world, "firewall").await;
    drop(closed);
    found?.blames("hub", &["TG-1", HUB])?;
    ana.is_well(world).await
}

async fn closed(world: &World, ana: &Ana) -> Outcome<()> {
    let network = world.stage.ground().network().doing("find the network")?;
    let provider = world.stage.ground().provider();
    let rule = format!(
        "ip daddr {provider} tcp dport != {} reject with tcp reset",
        ground::HUB_PORT
    );
    let closed = network.close(Site::Cafe, &rule)?;
    let found = ana.doctor(world, "provider-closed").await;
    drop(closed);
    found?.blames("provider", &["TG-3007", "login.acme.example"])?;
    ana.is_well(world).await
}

async fn hangs(world: &World, ana: &Ana) -> Outcome<()> {
    world.provider.pause()?;
    let found = ana.doctor(world, "provider-hangs").await;
    world.provider.resume()?;
    found?.blames("provider", &["TG-"])?;
    ana.is_well(world).await
}

/// The fix that it names is a command: it is typed as it stands there.
async fn account(world: &World, ana: &Ana) -> Outcome<()> {
    ana.laptop
        .terminal("doctor-logout", &ana.tidegate, &["logout"])
        .await?;
    let found = ana.doctor(world, "account").await?;
    found.blames("account", &["TG-3001"])?;
    ana.signs_in(world).await?;
    ana.is_well(world).await
}

/// The one that is not in the hub: connections use the other, and somebody should look.
async fn relay(world: &mut World, ana: &Ana) -> Outcome<()> {
    let stage = std::sync::Arc::clone(&world.stage);
    let relay = world.company.relay.as_mut().doing("find the relay")?;
    relay.process.kill();
    let found = ana.doctor(world, "relay").await;
    let relay = world.company.relay.as_mut().doing("find the relay")?;
    relay.start_again(&stage).await?;
    let relay = world.stage.host("relay.acme.example");
    found?.blames("relay", &["1 of 2", &relay, "administrator"])?;
    ana.is_well(world).await
}

/// By the administrator. A new link is the only way back, and the old key is never let in again.
async fn shut_out(world: &World, ana: &Ana) -> Outcome<()> {
    let device = ana.device().await?;
    world
        .company
        .admin
        .lost_laptop(&world.provider.ana, &world.company.hub.address, &device)
        .await?;
    let found = ana.doctor(world, "shut-out").await?;
    found.blames("device", &["TG-", "administrator"])?;
    ana.joins_again(world).await?;
    ana.is_well(world).await
}
