//! The relay's doctor at what lies beside the relay: settings, directory, key, memory, port. Each is broken for real and blamed by its name.
//! The way to the hub is the outlet's.

use super::*;

/// A relay's directory, sound but for its hub, which is not there.
struct Beside(TempDir, u16);

impl Beside {
    fn new() -> Self {
        let beside = Self(tempfile::tempdir().unwrap(), free_port());
        beside.configure(&beside.1.to_string(), "");
        let made = tidegate(beside.0.path(), &["relay", "keys", "--data", "data"]);
        assert!(made.status.success(), "{}", complained(&made));
        beside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn configure(&self, port: &str, more: &str) {
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\ndata = \"data\"\norg = \"acme\"\n\
             root = \"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\"\nhub = \"127.0.0.1:9\"\n{more}"
        );
        std::fs::write(self.path("relay.toml"), text).unwrap();
    }

    fn chmod(&self, name: &str, mode: u32) {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    /// Exit code, and what is not as it should be: name, finding and fix of each.
    fn examined(&self) -> (Option<i32>, Vec<(String, String)>) {
        let args = ["relay", "doctor", "--json", "--config", "relay.toml"];
        let said = tidegate(self.0.path(), &args);
        let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
        let checks = answer["checks"].as_array().unwrap().iter();
        let bad = checks.filter(|check| check["verdict"] == "fail" || check["verdict"] == "warn");
        let line = |check: &Value| {
            let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            (
                text("name"),
                format!("{} → {}", text("finding"), text("fix")),
            )
        };
        (said.status.code(), bad.map(line).collect())
    }

    /// Exactly this is blamed, beside the hub that is not there.
    fn blames(&self, name: &str, words: &str) {
        let (exit, bad) = self.examined();
        let others: Vec<_> = bad.iter().filter(|(bad, _)| bad != "hub").collect();
        assert_eq!(others.len(), 1, "{bad:?}");
        assert_eq!(others[0].0, name, "{bad:?}");
        assert!(others[0].1.contains(words), "{words}: {bad:?}");
        assert_ne!(exit, Some(0));
    }
}

#[test]
fn a_sound_relay_without_its_hub_lacks_only_the_hub_and_nothing_is_changed() {
    let beside = Beside::new();
    let before = std::fs::read_dir(beside.path("data")).unwrap().count();

    let (exit, bad) = beside.examined();

    assert_eq!(
        bad.iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["hub"]
    );
    assert_eq!(exit, Some(5));
    assert_eq!(
        std::fs::read_dir(beside.path("data")).unwrap().count(),
        before
    );
}

#[test]
fn a_relays_settings_directory_and_key_are_blamed_with_what_mends_them() {
    let beside = Beside::new();

    beside.configure("7443x", "");
    beside.blames("config", "address and port");
    beside.configure(&beside.1.to_string(), "");
    beside.chmod("data", 0o755);
    beside.blames("data", "chmod go=");
    beside.chmod("data", 0o700);
    beside.chmod("data/relay.key", 0o644);
    beside.blames("key", "chmod go=");
    beside.chmod("data/relay.key", 0o600);
    std::fs::write(beside.path("data/relay.key"), "something else").unwrap();
    beside.blames("key", "backup");
    std::fs::remove_file(beside.path("data/relay.key")).unwrap();
    beside.blames("key", "tidegate relay keys");
    std::fs::remove_dir(beside.path("data")).unwrap();
    beside.blames("data", "install -d -m 700");
}

#[test]
fn a_relays_damaged_memory_is_blamed() {
    let beside = Beside::new();

    secret(&beside.path("data/known.json"), "{");

    beside.blames("known", "who was shut out");
}

#[test]
fn the_port_of_a_relay_is_blamed_when_another_program_or_nobody_can_have_it() {
    let beside = Beside::new();

    let other = TcpListener::bind(("127.0.0.1", beside.1)).unwrap();
    beside.blames("port", "Another program");
    drop(other);
    let text = std::fs::read_to_string(beside.path("relay.toml")).unwrap();
    let elsewhere = text.replace("127.0.0.1:2", "192.0.2.77:2");
    std::fs::write(beside.path("relay.toml"), elsewhere).unwrap();
    beside.blames("port", "no such address");
}
