//! The file for whoever helps, made while she works: at no level does it hold a secret, and what is saved was shown before.
//! The canaries are the real ones: her password, what her keyring holds, the database's passwords, the link, and what she asked.

use std::time::Duration;

use serde_json::Value;
use tidegate_tests::company::ORG;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::ana::{Ana, must_say};
use super::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(60);
/// In no other place than her query and a log of it. No digit in it, so that it looks like any word.
const ASKED: &str = "canary_of_her_own";
/// Who and what there is in her world, also where only a check or an error says so.
const NAMES: [&str; 7] = [
    "ana@acme.example",
    "acme",
    "hub.acme.example",
    "login.acme.example",
    "relay.acme.example",
    "acme.internal",
    "warehouse",
];

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Ana) {
    let _ = narrator
        .step(
            "no_bundle_of_a_running_agent_holds_a_secret",
            no_secret(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_bundle_that_is_made_when_no_agent_can_start_names_nobody",
            names_nobody_without_an_agent(ana),
        )
        .await;
    let _ = narrator
        .step(
            "a_bundle_is_shown_before_it_is_saved_and_not_saved_without_a_yes",
            shown_first(world, ana),
        )
        .await;
    let _ = narrator
        .step(
            "at_a_terminal_a_no_saves_nothing_and_a_yes_what_was_shown",
            asked_at_a_terminal(world, ana),
        )
        .await;
}

async fn no_secret(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let told = ana.query(world, &format!("select '{ASKED}'")).await?;
    told.answer.map_err(Trouble::new)?;
    let canaries = canaries(world, ana).await?;
    let log = log_of_hers(ana).await?;
    let mut sizes = Vec::new();
    for level in ["summary", "normal", "full"] {
        let text = bundle(ana, level, &["--log", &log]).await?;
        for (what, canary) in &canaries {
            if text.contains(canary.as_str()) {
                return Err(Trouble::new(format!("{level} holds {what}: {text}")));
            }
        }
        if level == "full" {
            // On loopback the provider is this very computer, whose name says nothing about anybody.
            let provider = world.stage.host("login.acme.example");
            let names = [
                "hub.acme.example",
                "ana@acme.example",
                "warehouse",
                &*provider,
            ];
            must_say(&text, &names)?;
        } else {
            names_nobody(&text).doing(format!("read the level {level}"))?;
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

/// The log of a program of hers: who she is, where everything is, and a statement over three lines.
async fn log_of_hers(ana: &Ana) -> Outcome<String> {
    let text = format!(
        "2026-11-22T16:37:00.1Z  INFO joined org=acme hub=hub.acme.example:7443 person=ana@acme.example\n\
         2026-11-22T16:37:01.1Z  WARN relay link ended relay=relay.acme.example:7444\n\
         2026-11-22T16:37:02.1Z  INFO asked statement=select name\n  , {ASKED}\n  from warehouse\n\
         2026-11-22T16:37:03.1Z  INFO went on to warehouse.acme.internal\n"
    );
    let path = ana.laptop.home().join("run/hers.log");
    let path = path.to_string_lossy().into_owned();
    let write = ["-c", "printf %s \"$0\" > \"$1\"", &text, &path];
    ana.laptop.terminal("write-log", "sh", &write).await?;
    Ok(path)
}

fn names_nobody(text: &str) -> Outcome<()> {
    match NAMES.iter().find(|name| text.contains(**name)) {
        Some(name) => Err(Trouble::new(format!("it names {name}: {text}"))),
        None => Ok(()),
    }
}

/// The very moment for a bundle: no agent can start, so none can say which names there are.
async fn names_nobody_without_an_agent(ana: &Ana) -> Outcome<()> {
    let log = log_of_hers(ana).await?;
    let config = ana.laptop.home().join(".config/tidegate/agent.toml");
    let config = config.to_string_lossy().into_owned();
    let put = "mkdir -p \"$(dirname \"$1\")\" && printf %s \"$0\" > \"$1\"";
    let mistake = "max_connections = 0\n[ports]\nwarehouse = 15999\n";
    let put = ["-c", put, mistake, &config];
    ana.laptop.terminal("mistake", "sh", &put).await?;
    let normal = bundle(ana, "normal", &["--log", &log]).await;
    ana.laptop.terminal("mended", "rm", &[&config]).await?;
    let normal = normal?;
    must_say(&normal, &["TG-6003", "max_connections", "went on to"])?;
    names_nobody(&normal)
}

async fn bundle(ana: &Ana, level: &str, more: &[&str]) -> Outcome<String> {
    let file = ana.laptop.home().join(format!("run/bundle-{level}.json"));
    let path = file.to_string_lossy();
    ana.laptop
        .terminal("no-bundle", "rm", &["-f", &*path])
        .await?;
    let make = ["bundle", "--level", level, "--yes", "--out-file", &*path];
    let make = [&make, more].concat();
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

async fn asked_at_a_terminal(world: &World, ana: &Ana) -> Outcome<()> {
    let file = ana.laptop.home().join("run/bundle-asked.json");
    let path = file.to_string_lossy();
    let make = ["bundle", "--level", "summary", "--out-file", &*path];

    let mut terminal = Terminal::open(world, ana, &make)?;
    terminal.says("Save this as").await?;
    terminal.types("n\n", 2).await?;
    if file.exists() {
        return Err(Trouble::new("it was saved after a no"));
    }

    let mut terminal = Terminal::open(world, ana, &make)?;
    terminal.says("Save this as").await?;
    let shown = terminal.said().replace('\r', "");
    terminal.types("y\n", 0).await?;
    let saved = std::fs::read_to_string(&file)?;
    if shown.contains(saved.trim()) {
        Ok(())
    } else {
        Err(Trouble::new(format!(
            "{saved}\nwas saved, and shown was\n{shown}"
        )))
    }
}
