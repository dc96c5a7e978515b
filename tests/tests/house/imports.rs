//! Who may import whom, by `cargo metadata`: direct imports among our crates, and what none may reach even through others.
//! A rule that names a crate which no longer exists fails: a rule about nothing protects nothing.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::tree::root;

/// What each crate of ours may import of ours. Anything else is a fault of design, not of taste.
const MAY_IMPORT: &[(&str, &[&str], &str)] = &[
    (
        "tidegate-proto",
        &[],
        "everything stands on it, so it stands on nothing",
    ),
    (
        "tidegate-postgres",
        &[],
        "it must be usable, and testable, without any part of Tidegate",
    ),
    (
        "tidegate-postgres-carry",
        &["tidegate-postgres", "tidegate-proto"],
        "inlet and outlet share it and its words, and each decides for itself what an end means",
    ),
    (
        "tidegate-link",
        &["tidegate-proto"],
        "it carries bytes and decides nothing",
    ),
    (
        "tidegate-relay",
        &["tidegate-link", "tidegate-proto"],
        "it may hold no secret of any other part",
    ),
    (
        "tidegate-authority",
        &["tidegate-link", "tidegate-proto"],
        "it signs; it must not carry or dial",
    ),
    (
        "tidegate-outlet",
        &[
            "tidegate-link",
            "tidegate-postgres",
            "tidegate-postgres-carry",
            "tidegate-proto",
        ],
        "it has the last word and trusts nobody's code but the core's",
    ),
    (
        "tidegate-agent",
        &[
            "tidegate-link",
            "tidegate-postgres",
            "tidegate-postgres-carry",
            "tidegate-proto",
        ],
        "a laptop runs no server",
    ),
    (
        "tidegate-app",
        &["tidegate-agent", "tidegate-proto"],
        "it draws what the agent says",
    ),
    (
        "tidegate-desktop",
        &["tidegate-app", "tidegate-agent", "tidegate-proto"],
        "glue has nothing to decide with",
    ),
    (
        "xtask",
        &[],
        "it must build in seconds on a machine that has nothing yet",
    ),
];

/// What a crate may not reach, not even through others.
const MUST_NOT_REACH: &[(&str, &str, &str)] = &[
    (
        "tidegate-proto",
        "tokio",
        "the core is told everything; it never waits",
    ),
    ("tidegate-proto", "mio", "the core opens no socket"),
    ("tidegate-proto", "reqwest", "the core fetches nothing"),
    (
        "tidegate-postgres",
        "tokio",
        "framing is told bytes; it never waits",
    ),
    ("tidegate-postgres", "mio", "framing opens no socket"),
    (
        "tidegate-link",
        "keyring",
        "servers use it too, and they have no keyring",
    ),
    (
        "tidegate-relay",
        "keyring",
        "a relay has no person behind it",
    ),
    (
        "tidegate-relay",
        "openidconnect",
        "a relay must not know what an identity is",
    ),
    ("tidegate-relay", "sqlx", "a relay remembers nothing"),
    (
        "tidegate-relay",
        "tidegate-authority",
        "whoever breaks into a relay must not find the authority's keys in it",
    ),
    (
        "tidegate-relay",
        "tidegate-agent",
        "servers do not run the laptop's code",
    ),
    (
        "tidegate-authority",
        "tidegate-relay",
        "whoever breaks into the authority must not stand in the path of the bytes",
    ),
    (
        "tidegate-authority",
        "tidegate-agent",
        "servers do not run the laptop's code",
    ),
    (
        "tidegate-authority",
        "keyring",
        "a server's keys are in its own 0600 files",
    ),
    (
        "tidegate-outlet",
        "tidegate-agent",
        "servers do not run the laptop's code",
    ),
    (
        "tidegate-outlet",
        "tidegate-authority",
        "the outlet checks the authority; sharing its code would share its faults",
    ),
    (
        "tidegate-outlet",
        "keyring",
        "a server's keys are in its own 0600 files",
    ),
    (
        "tidegate-outlet",
        "openidconnect",
        "the outlet verifies tokens, it never signs anybody in",
    ),
    (
        "tidegate-agent",
        "sqlx",
        "the agent keeps state in memory and secrets in the keyring",
    ),
    (
        "tidegate-app",
        "tauri",
        "what the tray does must be testable without a window system",
    ),
    (
        "tidegate-app",
        "tray-icon",
        "the menu is a value; only the glue draws it",
    ),
    (
        "tidegate-tests",
        "tauri",
        "the app is driven from outside, as a person does",
    ),
];

/// Crates that only the desktop glue may name: a WebKit in any other part is a mistake.
const ONLY_THE_GLUE: &[&str] = &["tauri", "tray-icon", "wry"];

#[test]
fn crates_import_only_what_they_may() {
    let metadata = metadata();
    let ours = workspace(&metadata);

    for (name, allowed, reason) in MAY_IMPORT {
        let imports = direct(&metadata, name);
        for import in imports.iter().filter(|import| ours.contains(*import)) {
            assert!(
                allowed.contains(&import.as_str()),
                "{name} imports {import}: {reason}"
            );
        }
        for known in *allowed {
            assert!(
                ours.contains(*known),
                "the rule for {name} names {known}, which is no crate of ours"
            );
        }
    }
}

#[test]
fn every_crate_of_ours_has_a_rule_or_stands_at_the_top() {
    let metadata = metadata();
    let ruled: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, ..)| *name).collect();
    // The binary joins everything, and the tests play with everything.
    let at_the_top = BTreeSet::from(["tidegate-cli", "tidegate-tests"]);

    for name in workspace(&metadata) {
        assert!(
            ruled.contains(name.as_str()) || at_the_top.contains(name.as_str()),
            "{name} has no rule in house.rs"
        );
    }
}

#[test]
fn nothing_reaches_what_it_must_not() {
    let metadata = metadata();
    let known: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();

    for (name, forbidden, reason) in MUST_NOT_REACH {
        assert!(
            known.contains(name),
            "a rule names {name}, which does not exist"
        );
        assert!(
            known.contains(forbidden),
            "the rule for {name} names {forbidden}, which nothing uses any more"
        );
        if let Some(path) = path_to(&metadata, name, forbidden) {
            panic!(
                "{name} reaches {forbidden} through {}: {reason}",
                path.join(" → ")
            );
        }
    }
}

#[test]
fn only_the_glue_names_the_window_system() {
    let metadata = metadata();
    let known: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();

    for forbidden in ONLY_THE_GLUE {
        assert!(
            known.contains(forbidden),
            "{forbidden} is not used any more: drop the rule"
        );
        for name in workspace(&metadata)
            .iter()
            .filter(|name| *name != "tidegate-desktop")
        {
            assert!(
                path_to(&metadata, name, forbidden).is_none(),
                "{name} reaches {forbidden}, which only src-tauri may"
            );
        }
    }
}

fn metadata() -> Metadata {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--offline", "--locked", "--filter-platform", &host].map(str::to_owned);
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(options)
        .exec()
        .unwrap()
}

fn workspace(metadata: &Metadata) -> BTreeSet<String> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect()
}

/// Names a crate's own manifest imports, tests' needs left out.
fn direct(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name);
    let package = package.unwrap_or_else(|| panic!("a rule names {name}, which does not exist"));
    let normal = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.clone()).collect()
}

/// The shortest way from one crate to another over what is built into it.
fn path_to(metadata: &Metadata, from: &str, to: &str) -> Option<Vec<String>> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let imports: BTreeMap<&PackageId, Vec<&PackageId>> =
        nodes.iter().map(|node| (&node.id, normal(node))).collect();
    let name = |id: &PackageId| metadata[id].name.to_string();
    let start = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == from)?;
    let mut ways = vec![vec![&start.id]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports[way.last()?]
                .iter()
                .filter(|next| seen.insert(**next))
            {
                let way: Vec<&PackageId> = way.iter().copied().chain([*next]).collect();
                if name(next) == to {
                    return Some(way.into_iter().map(name).collect());
                }
                longer.push(way);
            }
        }
        ways = longer;
    }
    None
}

fn normal(node: &cargo_metadata::Node) -> Vec<&PackageId> {
    let built_in = |kinds: &[cargo_metadata::DepKindInfo]| {
        kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
    };
    node.deps
        .iter()
        .filter(|dependency| built_in(&dependency.dep_kinds))
        .map(|dependency| &dependency.pkg)
        .collect()
}
