//! Every verb with `--json` prints what the committed schema says, and no verb with `--json` is missing here.
//! A verb that is new and has no row fails this, whoever adds it.

use std::collections::BTreeSet;

use tidegate_agent::{AccountView, DeviceView};

use super::judge::is_as_described;
use super::*;

/// A verb as it is typed, and the property of the schema that describes its answer.
const ANSWERS: &[(&[&str], &str)] = &[
    (&["status"], "status"),
    (&["ls"], "ls"),
    (&["dsn", "warehouse"], "service"),
    (&["dsn", "warehouse", "--as", "all"], "service"),
    (&["env", "warehouse"], "env"),
    (&["connect", "warehouse"], "service"),
    (&["login"], "done"),
    (&["devices"], "devices"),
    (&["devices", "link"], "devices"),
    (&["config"], "config"),
    (&["paths"], "paths"),
    (&["doctor"], "doctor"),
    (&["bundle", "--yes"], "bundle"),
    (&["disconnect", "--all"], "done"),
    (&["outlet", "doctor", "--config", "nowhere.toml"], "doctor"),
    (&["relay", "doctor", "--config", "nowhere.toml"], "doctor"),
];
/// Asking for access is written beside this test: the shapes are in the schema's types, the answers are not judged here yet.
const ACCESS: [&str; 6] = ["request", "approve", "deny", "withdraw", "grants", "grant"];
/// Verbs that leave nothing to ask the same agent about, and the one that asks a hub (its answer is judged in `admin/shut_out.rs`).
const ELSEWHERE: [&str; 4] = ["join", "leave", "logout", "lost-laptop"];

fn device() -> DeviceView {
    DeviceView {
        id: "1".into(),
        name: "dev-1".into(),
        label: "old laptop".into(),
        enrolled: UnixTime(1),
        seen: None,
        this: false,
        revoked: false,
        vouched_by: Some("dev-2".into()),
    }
}

#[test]
fn every_answer_is_as_the_committed_schema_says() {
    let home = Home::new();
    let mut open = with_warehouse(connected());
    open.orgs[0].devices = vec![device()];
    home.agent(open.clone(), None, open);

    for (verb, property) in ANSWERS {
        let said = home.tidegate(&[*verb, &["--json"]].concat());
        assert!(!said.stdout.is_empty(), "{verb:?}: {}", text(&said.stderr));
        is_as_described(&said.stdout, property, verb);
    }
    let followed = home.tidegate(&["status", "--follow", "--json"]);
    for line in text(&followed.stdout).lines() {
        is_as_described(line.as_bytes(), "event", &["status", "--follow"]);
    }
    let unknown = home.tidegate(&["connect", "nonsense", "--json"]);
    is_as_described(&unknown.stderr, "error", &["connect", "nonsense"]);
}

#[test]
fn what_an_ending_says_is_as_the_committed_schema_says() {
    let mut signed_out = with_warehouse(ServiceState::Idle);
    signed_out.orgs[0].account = AccountView::SignedOut { last: None };
    let empty = Snapshot::empty(KeyHome::Memory);
    for (verb, then) in [(&["logout"][..], signed_out), (&["leave", "--yes"], empty)] {
        let home = Home::new();
        home.agent(with_warehouse(ServiceState::Idle), None, then);
        let said = home.tidegate(&[verb, &["--json"]].concat());
        assert!(said.status.success(), "{verb:?}: {}", text(&said.stderr));
        is_as_described(&said.stdout, "done", verb);
    }
    let home = Home::new();
    let joined = with_warehouse(ServiceState::Idle);
    home.agent(Snapshot::empty(KeyHome::Memory), None, joined);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(LINK.as_bytes()).unwrap();
    drop(writer);
    let said = home.command(&["join", "--json"]).stdin(reader).output();
    is_as_described(&said.unwrap().stdout, "done", &["join"]);
}

#[test]
fn no_verb_with_json_is_missing_here() {
    let home = Home::new();
    let known = ANSWERS
        .iter()
        .map(|(verb, _)| verb[0])
        .chain(ELSEWHERE)
        .chain(ACCESS);
    let known: BTreeSet<&str> = known.collect();

    // The completion script for fish names each verb once, on a line of this form.
    let script = text(&home.tidegate(&["completions", "fish"]).stdout);
    let verbs = script
        .lines()
        .filter(|line| line.contains("_needs_command\" -f -a \""));
    let verbs = verbs.filter_map(|line| line.split("-f -a \"").nth(1)?.split('"').next());
    let mut seen = 0;
    for verb in verbs {
        let help = text(&home.tidegate(&[verb, "--help"]).stdout);
        let speaks_json = help.contains("--json\n") || help.contains("--json  ");
        assert!(
            !speaks_json || known.contains(verb),
            "{verb} has --json and no row"
        );
        seen += usize::from(speaks_json);
    }
    assert!(seen > 10, "{seen}");
}
