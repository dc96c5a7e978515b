//! Every verb with `--json` prints what the committed schema says, and no verb with `--json` is missing here.
//! A verb that is new and has no row fails this, whoever adds it.

use std::collections::BTreeSet;

use tidegate_agent::{AccountView, DeviceView, RequestAt, RequestShown};

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
    (&["request", "warehouse", "--because", "INC-42"], "access"),
    (&["requests"], "access"),
    (&["approve", ASKED, "--for", "30m"], "access"),
    (&["deny", ASKED, "--because", "no"], "access"),
    (&["withdraw", GRANTED], "access"),
    (&["grants"], "access"),
    (&["grant", "revoke", GRANTED], "access"),
    (&["grant", "extend", GRANTED, "--because", "on"], "access"),
];
/// Somebody else's request, and what was granted here.
const ASKED: &str = "Xy3f5Zk0bCwqkQ8m3n5fJdTtP1sV7uYhG2aRoLeN4iM";
const GRANTED: &str = "Qa7d1Vn2cRwxkH9m8b6gKeUuO3tW5zXjF4yTpMfL0iN";
/// Verbs that leave nothing to ask the same agent about, and the one that asks a hub (its answer is judged in `admin/shut_out.rs`).
const ELSEWHERE: [&str; 5] = ["join", "leave", "logout", "lost-laptop", "log"];

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

fn asked() -> RequestShown {
    RequestShown {
        id: ASKED.into(),
        service: "warehouse".parse().unwrap(),
        by: "00umax".into(),
        name: Some("max@example.org".into()),
        mine: false,
        here: false,
        yours: true,
        reason: "INC-42".into(),
        seconds: 7_200,
        read_only: true,
        emergency: false,
        extends: None,
        asked: UnixTime(1),
        needs: 2,
        approved: vec!["ben@example.org".into()],
        seen: vec!["zoe@example.org".into()],
        seen_by_me: false,
        state: RequestAt::Waiting {
            until: UnixTime(86_400),
        },
    }
}

fn granted() -> RequestShown {
    RequestShown {
        id: GRANTED.into(),
        mine: true,
        here: true,
        yours: false,
        extends: Some(ASKED.into()),
        state: RequestAt::Granted {
            seconds: 3_600,
            read_only: true,
            claim_by: UnixTime(86_400),
            until: Some(UnixTime(3_600)),
        },
        ..asked()
    }
}

/// More time for what was granted, which nobody has decided yet.
fn longer() -> RequestShown {
    RequestShown {
        id: "Lo4g5Zk0bCwqkQ8m3n5fJdTtP1sV7uYhG2aRoLeN4iM".into(),
        extends: Some(GRANTED.into()),
        state: asked().state,
        ..granted()
    }
}

#[test]
fn every_answer_is_as_the_committed_schema_says() {
    let home = Home::new();
    let mut open = with_warehouse(connected());
    open.orgs[0].devices = vec![device()];
    open.orgs[0].requests = vec![asked(), granted(), longer()];
    home.agent(open.clone(), None, open);

    for (verb, property) in ANSWERS {
        let said = home.tidegate(&[*verb, &["--json"]].concat());
        assert!(!said.stdout.is_empty(), "{verb:?}: {}", text(&said.stderr));
        is_as_described(&said.stdout, property, verb);
    }
    let extended = home.tidegate(&["grant", "extend", GRANTED, "--because", "on", "--json"]);
    assert!(
        text(&extended.stdout).contains(&longer().id),
        "the answer is the request for more time"
    );
    let followed = home.tidegate(&["status", "--follow", "--json"]);
    for line in text(&followed.stdout).lines() {
        is_as_described(line.as_bytes(), "event", &["status", "--follow"]);
    }
    let unknown = home.tidegate(&["connect", "nonsense", "--json"]);
    is_as_described(&unknown.stderr, "error", &["connect", "nonsense"]);
}

#[test]
fn a_mistake_in_what_was_typed_is_said_in_json_too() {
    let home = Home::new();
    for verb in [
        &["connect", "--json"][..],
        &["--json", "no-such-verb"],
        &["ls", "--json", "--no-such-option"],
        &["bundle", "--json", "--level", "most"],
        &["revoke", "--json"],
        &["lost-laptop", "--json"],
    ] {
        let said = home.tidegate(verb);

        assert_eq!(said.status.code(), Some(2), "{verb:?}");
        assert!(said.stdout.is_empty(), "{verb:?}: {}", text(&said.stdout));
        is_as_described(&said.stderr, "error", verb);
    }
    // What is behind the dashes is another program's.
    let said = home.tidegate(&["connect", "--no-such-option", "--", "psql", "--json"]);
    assert!(
        text(&said.stderr).contains("Usage:"),
        "{}",
        text(&said.stderr)
    );
    // Help is an answer, whoever asks.
    let help = home.tidegate(&["ls", "--json", "--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("Usage:"));
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
    let known = ANSWERS.iter().map(|(verb, _)| verb[0]).chain(ELSEWHERE);
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
