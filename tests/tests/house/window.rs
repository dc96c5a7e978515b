//! What the window may do is as little as it needs; who wants more has to say so here, with the reason.
//! The window's files are the application's own, so a looser policy would break nothing that anybody sees.

use serde_json::Value;

use crate::tree::read;

/// Scripts, styles and pictures of our own, the three commands, and nothing else. `data:` is for the icons in styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src ipc: http://ipc.localhost; frame-src 'none'; base-uri 'none'; form-action 'none'";
/// See, do, and read the link that the app was opened with.
const COMMANDS: [&str; 3] = ["allow-view", "allow-act", "allow-read-link"];

fn json(file: &str) -> Value {
    serde_json::from_str(&read(file)).unwrap()
}

#[test]
fn the_window_loads_nothing_from_elsewhere_and_asks_for_three_commands() {
    let app = &json("src-tauri/tauri.conf.json")["app"];
    let window = json("src-tauri/capabilities/window.json");

    assert_eq!(app["security"]["csp"], POLICY);
    assert_eq!(
        app["security"]["capabilities"],
        serde_json::json!(["window"])
    );
    assert_eq!(app["security"]["freezePrototype"], true);
    assert_eq!(app["withGlobalTauri"], false);
    assert_eq!(window["permissions"], serde_json::json!(COMMANDS));
    assert_eq!(window["windows"], serde_json::json!(["main"]));
    assert!(window.get("remote").is_none());
}
