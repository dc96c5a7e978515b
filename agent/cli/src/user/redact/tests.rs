//! Canaries: secrets planted wherever a bundle could pick one up, and looked for in what comes out.
use serde_json::json;
use tidegate_agent::doctor::{self, Check};
use tidegate_agent::{AccountView, Code, Problem, SignIn, SignInStep, UnixTime};

use super::*;
use crate::user::bundle::{Log, Parts, assemble};
use crate::user::config::{Setting, Settings};
use crate::user::report::Status;
use crate::user::samples::two_orgs;

/// Secrets as they look in real life.
const CANARIES: [&str; 9] = [
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl",
    "hunter2",
    "Y2FuYXJ5LWlkZW50aXR5LXNlZWQtMzItYnl0ZXMtLS0",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d",
    "canary-ticket",
    "0.AXkAcanaryrefreshtoken1234567890abcdefgh",
    "salaries",
    "s3cr3t-state",
    "pa55-phrase",
];

fn log() -> String {
    let [
        jwt,
        password,
        seed,
        hex,
        ticket,
        refresh,
        table,
        state,
        phrase,
    ] = CANARIES;
    [
        format!("INFO joined with tidegate://join?ticket={ticket}"),
        format!("DEBUG id_token={jwt}"),
        format!("Authorization: Bearer {jwt}"),
        format!("trying postgresql://ana:{password}@db.internal:5432/nyc"),
        format!("PGPASSWORD={password} password: {password}"),
        format!("identity seed {seed}, session {hex}"),
        format!("refresh {refresh}"),
        format!("statement was SELECT *\n  FROM {table}\n  WHERE name = 'x'"),
        format!("GET http://127.0.0.1:8250/callback?code=abc&state={state}"),
        format!("passphrase: {phrase}"),
        "INFO connected service=warehouse org=acme person=ana@example.org".to_owned(),
    ]
    .join("\n")
}

fn bundle(level: Level) -> String {
    let mut snapshot = two_orgs();
    snapshot.orgs[1].account = AccountView::SigningIn(SignIn {
        step: SignInStep::WaitingForBrowser,
        url: Some(format!(
            "https://idp.example/authorize?state={}",
            CANARIES[7]
        )),
        since: UnixTime(1),
        ..sign_in()
    });
    let problem = Problem::new(Code::NotAvailable).said(&format!("token {}", CANARIES[0]));
    snapshot.problems.push(problem);
    let status = Status::of(&snapshot);
    let check = doctor::Check {
        name: "query".into(),
        about: Some("acme/warehouse".into()),
        verdict: doctor::Verdict::Fail,
        finding: format!("hub.example said: password={}", CANARIES[1]),
        fix: Some("ask ana@example.org".into()),
        code: None,
    };
    let parts = Parts {
        checks: &[check],
        status: Some(&status),
        config: Some(settings("BROWSER", &format!("x --token={}", CANARIES[5]))),
        paths: json!({ "data_dir": "/home/ana/.local/share/tidegate" }),
        log: Some(whole(log())),
        kept: vec![],
    };
    assemble(level, parts).to_string()
}

fn whole(text: String) -> Log {
    Log {
        text,
        is_cut: false,
    }
}

fn settings(key: &str, value: &str) -> Settings {
    Settings {
        file: "/home/ana/.config/tidegate/agent.toml".into(),
        settings: vec![Setting {
            key: key.into(),
            value: value.into(),
            origin: "agent.toml".into(),
        }],
    }
}

fn sign_in() -> SignIn {
    SignIn {
        step: SignInStep::OpeningBrowser,
        url: None,
        since: UnixTime(1),
        likely: vec![],
        code: None,
    }
}

#[test]
fn no_canary_survives_at_any_level() {
    for level in [Level::Summary, Level::Normal, Level::Full] {
        let text = bundle(level);

        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} at {level:?}: {text}");
        }
    }
}

#[test]
fn names_are_in_the_full_one_only_and_a_summary_has_nothing_else() {
    let names = ["acme", "warehouse", "hub.example", "ana@example.org"];
    let (summary, normal, full) = (
        bundle(Level::Summary),
        bundle(Level::Normal),
        bundle(Level::Full),
    );

    for name in names {
        assert!(
            !summary.contains(name) && !normal.contains(name),
            "{name}: {normal}"
        );
        assert!(full.contains(name), "{name}: {full}");
    }
    assert!(
        normal.contains("org-1") && normal.contains("service-2"),
        "{normal}"
    );
    assert!(!summary.contains("finding"), "{summary}");
}

/// What nobody told the redactor: the provider, a relay and a proxy that only an error names, her browser, a folder, a reason.
fn findings() -> [Check; 7] {
    let not_available = Problem::new(Code::NotAvailable).said("Orion is only for Bob");
    [
        Check::ok(
            "provider",
            "https://dev-8812.okta.example/oauth2/aus7 answers.",
        ),
        Check::ok("provider", "https://login.acme.example answers."),
        Check::fail(
            "relay",
            "None answers: relay.other.example:443, r2:443.",
            "Check your network.",
        ),
        Check::warn(
            "proxy",
            "HTTPS_PROXY is set: signing in goes through squid.corp:3128, 10.9.8.7:80.",
            "x",
        ),
        Check::ok("browser", "$BROWSER names /opt/acme/bin/surf."),
        Check::problem("access", &not_available).about("acme/warehouse"),
        Check::fail("query", "role \"salaries_ro\" does not exist", "ask Bob"),
    ]
}

/// Nobody and nothing may be left of these.
const NAMES: [&str; 17] = [
    "acme",
    "okta",
    "dev-8812",
    "aus7",
    "other.example",
    "r2:",
    "squid",
    "corp",
    "10.9.8.7",
    "surf",
    "warehouse",
    "Orion",
    "Bob",
    "salaries_ro",
    "ana",
    "initech",
    "Ana's",
];

fn without_an_agent(level: Level) -> String {
    let log = [
        "2026-11-22T16:37:00.1Z  INFO tidegate_agent: org was joined org=acme hub=hub.acme.example:443",
        "2026-11-22T16:37:01.1Z  INFO tidegate_agent: person signed in subject=ana",
        "2026-11-22T16:37:02.1Z  WARN tidegate_agent: relay link ended relay=r2:443 error=no answer from relay.other.example",
        "2026-11-22T16:37:03.1Z  INFO tidegate_agent: problem arose code=TG-2001 said=\"because Orion\"",
        "2026-11-22T16:37:04.1Z  INFO tidegate_agent: door was opened service=acme/warehouse port=15432",
        "2026-11-22T16:37:05.1Z  INFO tidegate_agent: socket was opened path=/srv/initech/x.sock",
        "2026-11-22T16:37:06.1Z  INFO tidegate_agent: Ana's laptop asks Ware\u{200b}house at LOGIN.ACME.EXAMPLE \u{9b}2J",
    ];
    let parts = Parts {
        checks: &findings(),
        status: None,
        config: Some(settings("ports.acme/warehouse", "15999")),
        paths: json!({ "program": "/opt/initech/tidegate", "log_file": "/home/ana/x" }),
        log: Some(whole(log.join("\n"))),
        kept: vec![(NameOf::Device, "Ana's laptop".into())],
    };
    assemble(level, parts).to_string()
}

#[test]
fn nobody_is_named_when_no_agent_answers_and_nothing_that_only_an_error_names() {
    let normal = without_an_agent(Level::Normal);
    let full = without_an_agent(Level::Full);

    for name in NAMES {
        assert!(
            !normal.to_lowercase().contains(&name.to_lowercase()),
            "{name}: {normal}"
        );
        assert!(full.contains(name), "{name}: {full}");
    }
    for kept in [
        "TG-2001",
        "16:37:04",
        "door was opened",
        "15999",
        "port=15432",
        "HTTPS_PROXY",
    ] {
        assert!(normal.contains(kept), "{kept}: {normal}");
    }
}

#[test]
fn the_same_name_has_the_same_number_everywhere() {
    let normal = without_an_agent(Level::Normal);

    assert!(normal.contains("service=org-1/service-1"), "{normal}");
    assert!(normal.contains("\"about\":\"org-1/service-1\""), "{normal}");
    assert!(normal.contains("ports.org-1/service-1"), "{normal}");
}

#[test]
fn what_helps_stays() {
    let text = bundle(Level::Normal);

    for kept in ["TG-1006", "INFO connected", "\"verdict\":\"fail\"", "15432"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
}
