//! What can be wrong with the laptop itself: clock, session bus, keyring, tray, browser, port, proxy, the device's key.
//! Broken by taking the thing away, or by the environment that a person would have set.

use std::time::Duration;

use tidegate_tests::company::{ORG, SERVICE_PORT};
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::Outcome;

use super::found::Found;
use crate::ana::Ana;

const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn play(narrator: &Narrator, world: &World, ana: &Ana) {
    let _ = narrator
        .step("a_wrong_clock_is_blamed_alone", clock(world, ana))
        .await;
    let _ = narrator
        .step("a_locked_keyring_is_blamed_alone", keyring(world, ana))
        .await;
    let _ = narrator
        .step("a_missing_session_bus_is_blamed_alone", bus(world, ana))
        .await;
    let _ = narrator
        .step("a_dead_panel_is_blamed_alone", tray(world, ana))
        .await;
    let _ = narrator
        .step(
            "a_browser_that_is_not_there_is_blamed_alone",
            browser(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "the_program_on_the_port_is_named_by_the_doctor",
            port(world, ana),
        )
        .await;
    let _ = narrator
        .step("a_proxy_that_refuses_is_blamed_alone", proxy(world, ana))
        .await;
    let _ = narrator
        .step("a_wiped_device_key_is_blamed_alone", device(world, ana))
        .await;
}

async fn clock(world: &World, ana: &Ana) -> Outcome<()> {
    let tidegate = ana.tidegate.to_string_lossy();
    let faked = ana
        .laptop
        .program("doctor-clock", "faketime")
        .args(["-f", "+10m", &*tidegate, "doctor", "--json"])
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let found = Found::by(faked, world).await?;
    found.blames("clock", &["TG-1006", "10 min wrong", "clock"])?;
    ana.is_well(world).await
}

async fn keyring(world: &World, ana: &Ana) -> Outcome<()> {
    ana.laptop.lock_the_keyring().await?;
    let found = ana.doctor(world, "keyring").await;
    ana.laptop.unlock_the_keyring().await?;
    found?.blames("keyring", &["TG-4005", "unlock"])?;
    ana.is_well(world).await
}

async fn bus(world: &World, ana: &Ana) -> Outcome<()> {
    let nowhere = [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")];
    let found = ana.doctor_with(world, "bus", &[], &nowhere).await?;
    found.blames("session bus", &["dbus-run-session"])?;
    ana.is_well(world).await
}

async fn tray(world: &World, ana: &Ana) -> Outcome<()> {
    ana.laptop.stop_the_panel().await?;
    let found = ana.doctor(world, "tray").await;
    ana.laptop.start_the_panel().await?;
    found?.blames("tray", &["TG-6009"])?;
    ana.is_well(world).await
}

async fn browser(world: &World, ana: &Ana) -> Outcome<()> {
    let gone = [("BROWSER", "/usr/bin/netscape")];
    let found = ana.doctor_with(world, "browser", &[], &gone).await?;
    found.blames("browser", &["$BROWSER", "netscape"])?;
    ana.is_well(world).await
}

async fn port(world: &World, ana: &Ana) -> Outcome<()> {
    let holder = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('held', flush=True); time.sleep(600)";
    let mut other = ana
        .laptop
        .program("doctor-holder", world.stage.python())
        .args(["-c", holder, &SERVICE_PORT.to_string()])
        .start(&world.stage)?;
    other.says("held", LIMIT).await?;
    let found = ana.doctor(world, "port").await?;
    found.blames(
        "port",
        &["TG-6001", &SERVICE_PORT.to_string(), "python", "process"],
    )?;
    drop(other);
    ana.is_well(world).await
}

async fn proxy(world: &World, ana: &Ana) -> Outcome<()> {
    let refuses = [("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9")];
    let found = ana.doctor_with(world, "proxy", &[], &refuses).await?;
    found.blames("proxy", &["HTTPS_PROXY", "127.0.0.1:9", "unset"])?;
    ana.is_well(world).await
}

/// The keyring forgot the device: a new link is the fix, as it says.
async fn device(world: &World, ana: &Ana) -> Outcome<()> {
    let name = format!("{ORG}/identity");
    let clear = ["clear", "service", "tidegate", "username", &name];
    ana.laptop
        .terminal("forget-key", "secret-tool", &clear)
        .await?;
    let found = ana.doctor(world, "device").await?;
    found.blames("device", &["TG-4015", "join link"])?;
    ana.joins_again(world).await?;
    ana.is_well(world).await
}
