//! What users of other tools complain of, and what the doctors look at: each has a test that plays it, or a reason why there is none.
//! The names are looked up in the sources, in the steps of the plays too, so a renamed test breaks this one and the tables stay true.

use std::collections::BTreeSet;

use crate::inputs::{all_test_names, tests_of};
use crate::tree::{read, rust_files};

/// The complaints of the study of peers (section 2.1), by theme.
const COMPLAINTS: &[(&str, &str)] = &[
    (
        "tray",
        "firezone-4053 netbird-4095 netbird-2304 defguard-132 defguard-394 defguard-451 defguard-844 defguard-784 firezone-10849 teleport-tray netbird-late-panel tailscale-rebuild",
    ),
    (
        "notifications",
        "firezone-11813 firezone-11906 firezone-13835 firezone-14622",
    ),
    (
        "sign-in",
        "firezone-5566 firezone-7572 firezone-9475 firezone-3608 boundary-ui-2625 boundary-1997 teleport-64953 teleport-65512 netbird-3835 zdew-1036",
    ),
    (
        "keyring",
        "boundary-696 boundary-697 boundary-5570 boundary-5571 boundary-2178 firezone-8129",
    ),
    (
        "sleep",
        "netbird-5712 netbird-2454 netbird-3880 netbird-2011 netbird-6943 firezone-8276 firezone-3533 firezone-4376 zdew-822 zdew-525 zdew-366 zdew-594 cloud-sql-proxy-1788 go-connector-749 node-connector-283",
    ),
    (
        "captive portal",
        "tailscale-1634 tailscale-11553 tailscale-722 tailscale-4978 tailscale-7354 firezone-14008",
    ),
    (
        "ports",
        "boundary-ui-1041 boundary-ui-886 boundary-1180 teleport-49315 cloud-sql-proxy-1698 django-cloud-deploy-31 cloud-code-intellij-3152 hoop-925",
    ),
    (
        "expiry",
        "teleport-14180 teleport-64074 teleport-5476 session-manager-45 session-manager-136 session-manager-135 session-manager-139 jumpserver-13773 dbeaver-8935 pomerium-4233 pomerium-2590",
    ),
    (
        "prompts",
        "teleport-16234 teleport-16739 dbeaver-17288 dbeaver-22128",
    ),
    (
        "approvals",
        "teleport-50011 teleport-66504 teleport-7873 teleport-32620 teleport-28548 teleport-68115 teleport-42419 teleport-58208 teleport-69473 accessbot-283",
    ),
    ("speed", "hoop-1271"),
    (
        "errors",
        "boundary-not-sure cloud-sql-proxy-1841 netbird-clock",
    ),
];

#[test]
fn every_complaint_about_peers_has_a_test_or_a_reason() {
    let table: toml::Table = read("tests/peers.toml").parse().unwrap();
    let tests = all_test_names();
    let expected: BTreeSet<&str> = COMPLAINTS
        .iter()
        .flat_map(|(_, ids)| ids.split(' '))
        .collect();

    for id in &expected {
        is_answered("tests/peers.toml", &table, id, &tests);
    }
    for id in table.keys() {
        assert!(
            expected.contains(id.as_str()),
            "{id} is no complaint that we know"
        );
    }
}

#[test]
fn every_check_of_the_doctors_is_broken_by_a_test() {
    let table: toml::Table = read("tests/doctor.toml").parse().unwrap();
    let tests = all_test_names();

    for (whose, folder) in [
        ("laptop", "agent/src/doctor"),
        ("outlet", "agent/outlet/src/doctor"),
        ("relay", "agent/cli/src/relay/doctor"),
    ] {
        let table = table[whose].as_table().unwrap();
        let names = check_names(folder);
        for name in &names {
            is_answered("tests/doctor.toml", table, name, &tests);
        }
        for name in table.keys() {
            assert!(names.contains(name), "the {whose}'s doctor has no {name}");
        }
    }
}

fn is_answered(file: &str, table: &toml::Table, id: &str, tests: &BTreeSet<String>) {
    let entry = table.get(id).and_then(|entry| entry.as_table());
    let entry = entry.unwrap_or_else(|| panic!("{id} is not in {file}"));
    let words = |key: &str| {
        let value = entry.get(key).and_then(|value| value.as_str());
        value.unwrap_or_default()
    };
    let names = tests_of(entry);
    assert!(
        words("what").len() > 5,
        "{file}: {id} does not say what it is"
    );
    assert!(
        !names.is_empty() || words("why_not").len() > 20,
        "{file}: {id} has neither a test nor a reason"
    );
    for name in names {
        assert!(
            tests.contains(name),
            "{file}: {id} names the test `{name}`, which does not exist"
        );
    }
}

/// What a doctor calls its lines: written as a constant, or as the first word of a check.
fn check_names(folder: &str) -> BTreeSet<String> {
    const BEFORE: [&str; 8] = [
        "NAME: &str = \"",
        "Check::ok(\"",
        "Check::warn(\"",
        "Check::fail(\"",
        "Check::problem(\"",
        "Check::skipped(\"",
        "=> \"",
        "Check::fail(\n            \"",
    ];
    let mut names = BTreeSet::new();
    let files = rust_files().into_iter();
    for file in files.filter(|file| file.starts_with(folder) && !file.ends_with("tests.rs")) {
        let text = read(&file);
        // Of words behind an arrow, only those of the lines of a service are names.
        let of_service = file.ends_with("service.rs");
        for before in BEFORE.iter().filter(|word| of_service || **word != "=> \"") {
            for (at, _) in text.match_indices(before) {
                let rest = &text[at + before.len()..];
                let name = rest.split('"').next().unwrap_or_default();
                if name.len() < 16 && name.chars().all(|c| c.is_ascii_lowercase() || c == ' ') {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names.remove("time");
    names.remove("files");
    names
}
