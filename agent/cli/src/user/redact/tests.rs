//! Canaries: secrets planted wherever a bundle could pick one up, and looked for in what comes out.
use serde_json::json;
use tidegate_agent::{AccountView, Code, Problem, SignIn, SignInStep, UnixTime, doctor};

use super::*;
use crate::user::bundle::{Parts, assemble};
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
        format!("statement was SELECT * FROM {table} WHERE name = 'x'"),
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
        config: Some(
            json!({ "settings": [{ "key": "BROWSER", "value": format!("x --token={}", CANARIES[5]) }] }),
        ),
        paths: json!({ "data_dir": "/home/ana/.local/share/tidegate" }),
        log: Some(log()),
    };
    assemble(level, parts).to_string()
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

#[test]
fn what_helps_stays() {
    let text = bundle(Level::Normal);

    for kept in ["TG-1006", "INFO connected", "\"verdict\":\"fail\"", "15432"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
}
