//! The file for whoever helps, made while she works: at no level does it hold a secret, and what is saved was shown before.
//! The canaries are the real ones: her password, what her keyring holds, the database's passwords, the link, and what she asked.

use std::time::Duration;

use serde_json::Value;
use tidegate_tests::company::ORG;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(60);
/// In no other place than her query.
const ASKED: &str = "canary_of_her_own_4711";

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Ana) {
    let _ = narrator
        .step(
            "no_bundle_of_a_running_agent_holds_a_secret",
            no_secret(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_bundle_is_shown_before_it_is_saved_and_not_saved_without_a_yes",
            shown_first(world, ana),
        )
        .await;
}

async fn no_secret(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let told = ana.query(world, &format!("select '{ASKED}'")).await?;
    told.answer.map_err(Trouble::new)?;
    let canaries = canaries(world, ana).await?;
    let mut names = vec!["ana@acme.example", "warehouse"];
    // This very computer's name says nothing about anybody, so it stays at every level.
    let hub = world.stage.host("hub.acme.example");
    names.extend((hub != "localhost").then_some(&*hub));
    let mut sizes = Vec::new();
    for level in ["summary", "normal", "full"] {
        let text = bundle(ana, level).await?;
        for (what, canary) in &canaries {
            if text.contains(canary.as_str()) {
                return Err(Trouble::new(format!("{level} holds {what}")));
            }
        }
        let named = names.iter().filter(|name| text.contains(**name)).count();
        match (level, named) {
            ("full", all) if all == names.len() => {}
            ("normal" | "summary", 0) => {}
            _ => return Err(Trouble::new(format!("{level} has {named} of {names:?}"))),
        }
        sizes.push(text.len());
    }
    drop(agent);
    println!("  {sizes:?} bytes, none of {} canaries", canaries.len());
    if sizes.is_sorted() {
        Ok(())
    } else {
        Err(Trouble::new("a higher level says less"))
    }
}

async fn bundle(ana: &Ana, level: &str) -> Outcome<String> {
    let file = ana.laptop.home().join(format!("run/bundle-{level}.json"));
    let path = file.to_string_lossy();
    let make = ["bundle", "--level", level, "--yes", "--out-file", &*path];
    ana.laptop.terminal("bundle", &ana.tidegate, &make).await?;
    let text = std::fs::read_to_string(&file)?;
    let value: Value = serde_json::from_str(&text)?;
    if value["level"] != level || value["verdicts"].as_array().is_none_or(Vec::is_empty) {
        return Err(Trouble::new(format!("it is no bundle: {text}")));
    }
    Ok(text)
}

async fn canaries(world: &World, ana: &Ana) -> Outcome<Vec<(&'static str, String)>> {
    let mut all = vec![
        ("her password", world.provider.ana.password.clone()),
        ("the outlet's password", world.warehouse.password.clone()),
        ("what she asked", ASKED.to_owned()),
        ("a link", "tidegate://".to_owned()),
        ("a token", "eyJ".to_owned()),
    ];
    for (what, kind) in [
        ("the device's key", "identity"),
        ("a refresh token", "refresh"),
    ] {
        let name = format!("{ORG}/{kind}");
        let look = ["lookup", "service", "tidegate", "username", &name];
        let secret = ana.laptop.terminal("canary", "secret-tool", &look).await?;
        if secret.trim().len() < 16 {
            return Err(Trouble::new(format!("the keyring holds no {kind}")));
        }
        all.push((what, secret.trim().to_owned()));
    }
    Ok(all)
}

async fn shown_first(world: &World, ana: &Ana) -> Outcome<()> {
    let file = ana.laptop.home().join("run/bundle-unasked.json");
    let mut process = ana
        .laptop
        .program("bundle-unasked", &ana.tidegate)
        .args(["bundle", "--out-file"])
        .arg(&file)
        .start(&world.stage)?;
    let status = process.ended(LIMIT).await?;
    if status.code() != Some(2) || file.exists() {
        return Err(Trouble::new(format!(
            "{status}, and a file: {}",
            file.exists()
        )));
    }
    must_say(&process.stderr(), &["\"verdicts\"", "add --yes"]).doing("see it before")
}
