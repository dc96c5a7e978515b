//! A hub as its administrator meets it: a newer bundle, the end, and everything that keeps it from starting.
//! Older papers are never taken, whoever lays them there.

use super::*;

#[test]
fn a_running_hub_takes_a_newer_bundle_and_no_older_one() {
    let place = Place::signed();
    let old = std::fs::read(place.path("bundle.json")).unwrap();
    let mut hub = place.start_hub();
    place.describe(15433);
    assert!(place.sign().status.success());

    hub.signal(rustix::process::Signal::HUP);
    hub.says("service warehouse changed");
    hub.says("bundle was read again");

    std::fs::write(place.path("bundle.json"), old).unwrap();
    hub.signal(rustix::process::Signal::HUP);
    assert!(
        hub.says("bundle was refused")
            .contains("older than what was in force: authority, service/warehouse")
    );
    std::fs::write(place.path("bundle.json"), "{").unwrap();
    hub.signal(rustix::process::Signal::HUP);
    hub.says("bundle was not read again");
    hub.end();

    let config = place.run(&["hub", "run", "--config", "hub.toml"]);
    assert_eq!(
        config.status.code(),
        Some(6),
        "not even at a start: {}",
        complained(&config)
    );
}

#[test]
fn a_hub_ends_in_time_whoever_is_connected() {
    let place = Place::signed();
    let hub = place.start_hub();
    let mut connected = Vec::new();
    for first in [
        b"".as_slice(),
        b"tg1A",
        b"tg1L",
        b"tg1C0123456789abcdef",
        b"GET / HTTP/1.1\r\n",
    ] {
        let mut tcp = TcpStream::connect(place.hub()).unwrap();
        tcp.write_all(first).unwrap();
        connected.push(tcp);
    }

    let took = hub.end();

    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(connected);
}

#[test]
fn a_hub_says_what_is_wrong_and_does_not_start() {
    let place = Place::signed();
    let start = |config: String| {
        std::fs::write(place.path("bad.toml"), config).unwrap();
        place.run(&["hub", "run", "--config", "bad.toml"])
    };
    let good = |root: &str, data: &str, bundle: &str| {
        format!(
            "listen = '{}'\ndata = '{data}'\nbundle = '{bundle}'\norg = 'acme'\nroot = '{root}'\n",
            place.hub()
        )
    };
    let stranger = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

    for (config, code, words) in [
        ("listen = 'x'\n".into(), 2, "5 mistakes"),
        (
            good(stranger, "hub", "bundle.json"),
            6,
            "root key is not the expected one",
        ),
        (
            good(&place.root, "hub2", "bundle.json"),
            6,
            "keys of another authority",
        ),
        (good(&place.root, "hub", "bad.toml"), 6, "is no bundle"),
        (
            good(&place.root, "hub", "none.json"),
            6,
            "none.json cannot be read",
        ),
    ] {
        let output = start(config);
        assert_eq!(output.status.code(), Some(code), "{}", complained(&output));
        assert!(
            complained(&output).contains(words),
            "{words}: {}",
            complained(&output)
        );
    }
    std::fs::set_permissions(
        place.path("hub/authority/authority.keys"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let output = start(good(&place.root, "hub", "bundle.json"));
    assert!(
        complained(&output).contains("other users can read"),
        "{}",
        complained(&output)
    );
}
