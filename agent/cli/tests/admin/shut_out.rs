//! Shutting out: a person or a device by `revoke`, a laptop that is gone by `lost-laptop`.
//! What was signed is kept, so that a hub that was away can be told again.

use super::*;

#[test]
fn a_revocation_is_kept_sent_and_can_be_sent_again() {
    let place = Place::signed();
    let revoke = |who: &[&str]| {
        let hub = place.hub();
        let args = [
            "revoke",
            "--dir",
            "org",
            "--hub",
            &hub,
            "--reason",
            "left",
            "--passphrase-file",
            "pass",
        ];
        place.run(&[&args, who].concat())
    };
    assert_eq!(
        revoke(&["--resend"]).status.code(),
        Some(6),
        "there is nothing yet"
    );

    let away = revoke(&["--sub", "ana"]);
    assert_eq!(away.status.code(), Some(5), "{}", complained(&away));
    assert_eq!(
        std::fs::read_dir(place.path("org/revocations"))
            .unwrap()
            .count(),
        1
    );

    let hub = place.start_hub();
    let again = revoke(&["--resend"]);
    assert_eq!(said(&again), r#"{"epoch":1}"#, "{}", complained(&again));
    assert_eq!(said(&revoke(&["--sub", "bob"])), r#"{"epoch":2}"#);
    let device = format!("-{}", &place.root[1..]); // any fingerprint will do, and one in 64 begins so
    assert_eq!(said(&revoke(&["--device", &device])), r#"{"epoch":3}"#);
    assert_eq!(
        said(&revoke(&["--resend"])).lines().count(),
        3,
        "the same receipts"
    );
    assert_eq!(revoke(&[]).status.code(), Some(2), "somebody must be named");
    hub.end();
}

/// Enrols a laptop of `sub` with a ticket, as its user would.
fn joined_laptop(place: &Place, sub: &str, home: &str) {
    let args = [
        "ticket",
        "--dir",
        "org",
        "--sub",
        sub,
        "--passphrase-file",
        "pass",
    ];
    let link = said(&place.run(&args)).replace("127.0.0.1:7443", &place.hub());
    let home = place.path(home);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(link.as_bytes()).unwrap();
    drop(writer);
    let join = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["join", "--keys", "file"])
        .env("HOME", &home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .stdin(reader)
        .output()
        .unwrap();
    assert!(join.status.success(), "{}", complained(&join));
}

#[test]
fn a_lost_laptop_is_shut_out_and_what_is_left_to_do_is_said() {
    let place = Place::signed();
    let hub = place.start_hub();
    let address = place.hub();
    let lost = |more: &[&str]| {
        let args = [
            "lost-laptop",
            "--dir",
            "org",
            "--hub",
            &address,
            "--sub",
            "00uana",
            "--passphrase-file",
            "pass",
        ];
        place.run(&[&args, more].concat())
    };
    let none = lost(&[]);
    assert_eq!(none.status.code(), Some(2));
    assert!(complained(&none).contains("there is no laptop to shut out"));
    let none = lost(&["--json"]);
    judge::is_as_described(&none.stderr, "error", &["lost-laptop"]);

    joined_laptop(&place, "00uana", "first");
    joined_laptop(&place, "00uana", "second");
    let listed = lost(&["--list", "--json"]).stdout;
    judge::is_as_described(&listed, "lost_laptop", &["lost-laptop"]);
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let name = listed["devices"][0]["name"].as_str().unwrap().to_owned();
    let which = lost(&[]);
    let done = lost(&["--device", &name]);
    let other = lost(&[]);

    assert_eq!(listed["devices"].as_array().unwrap().len(), 2);
    assert_eq!(which.status.code(), Some(2));
    assert!(complained(&which).contains(&name), "{}", complained(&which));
    let told = said(&done);
    assert!(
        told.starts_with(&format!("Shut out: {name}")),
        "{told}{}",
        complained(&done)
    );
    assert!(told.contains("end the sessions of 00uana"), "{told}");
    assert!(
        other.status.success() && !said(&other).contains(&name),
        "the only one left is meant"
    );
    let after: Value = serde_json::from_str(&said(&lost(&["--list", "--json"]))).unwrap();
    let is_out = |device: &Value| device["revoked"] == true;
    assert!(after["devices"].as_array().unwrap().iter().all(is_out));
    hub.end();
}
