//! What the window may ask for, and nothing else: the page is not trusted to be ours.
#![allow(clippy::unwrap_used)]

use tidegate_app::Intent;
use tidegate_app::join_text::MAX_JOIN_TEXT;

fn read(json: &str) -> Result<Intent, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn takes_what_the_window_sends() {
    for json in [
        r#"{"do":"sign_in","org":"acme"}"#,
        r#"{"do":"connect","service":"acme/warehouse"}"#,
        r#"{"do":"dismiss","org":"acme","about":{"code":1001,"service":"warehouse"}}"#,
        r#"{"do":"copy","what":{"is":"connection","service":"acme/warehouse","form":"psql"}}"#,
        r#"{"do":"copy","what":{"is":"sign_in_url","org":"acme"}}"#,
        r#"{"do":"dismiss","org":null,"about":{"code":6010}}"#,
        r#"{"do":"join","link":"tidegate://join"}"#,
        r#"{"do":"set","what":{"is":"theme","theme":"dark"}}"#,
        r#"{"do":"set","what":{"is":"start_at_login","on":true}}"#,
        r#"{"do":"join_arrived"}"#,
    ] {
        assert!(read(json).is_ok(), "{json}");
    }
}

#[test]
fn refuses_everything_else() {
    let long = format!(
        r#"{{"do":"join","link":"{}"}}"#,
        "x".repeat(MAX_JOIN_TEXT + 1)
    );
    for json in [
        "{}",
        r#""quit""#,
        r#"{"do":"run","command":"sh"}"#,
        r#"{"do":"connect"}"#,
        r#"{"do":"connect","service":"../etc"}"#,
        r#"{"do":"connect","service":"warehouse"}"#,
        r#"{"do":"sign_in"}"#,
        r#"{"do":"connect","service":"acme/WAREHOUSE"}"#,
        r#"{"do":"connect","service":"acme/warehouse","port":22}"#,
        r#"{"do":"dismiss","org":null,"about":{"code":1}}"#,
        r#"{"do":"set","what":{"is":"theme","theme":"pink"}}"#,
        r#"{"do":"set","what":{"is":"start_at_login","on":true,"program":"/bin/sh"}}"#,
        r#"{"do":"copy","what":{"is":"text","text":"x"}}"#,
        r#"{"do":"open_sign_in_page","url":"file:///etc/passwd","x":1,"do":"quit"}"#,
        &long,
    ] {
        assert!(read(json).is_err(), "{json}");
    }
}

#[test]
fn a_join_link_is_not_in_debug_output() {
    let intent = read(r#"{"do":"join","link":"tidegate://join?key=canary"}"#).unwrap();

    assert!(!format!("{intent:?}").contains("canary"));
}
