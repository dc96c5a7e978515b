//! Each check against the thing it looks at, broken for real. The database's faults are made at a real PostgreSQL.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tidegate_proto::check::Verdict;
use tidegate_proto::entropy::SystemEntropy;

use super::*;
use crate::kill::{Killed, Order};
use crate::postgres::tests::cluster::Cluster;

/// An outlet's directory, with a PostgreSQL service and no hub.
struct Home(tempfile::TempDir, Arc<Cluster>);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap(), Cluster::shared());
        OutletKeys::load_or_make(&home.data(), &SystemEntropy).unwrap();
        home.write("owner.cedar", "permit (principal, action, resource);");
        home.logs_in_as("loader", "pencil");
        home.configure("nyc", "");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn logs_in_as(&self, user: &str, password: &str) {
        let login = format!(r#"{{"username": "{user}", "password": "{password}"}}"#);
        self.write("login.json", &login);
    }

    fn configure(&self, database: &str, more: &str) {
        let (port, ca) = (self.1.port, self.1.ca());
        let text = format!(
            "org = \"acme\"\nroot = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\nhub = \"127.0.0.1:9\"\n\
             data = \"data\"\npolicy = \"owner.cedar\"\nowner = \"this-computer\"\n\
             [[service]]\nname = \"warehouse\"\nkind = \"postgres\"\ntarget = \"localhost:{port}\"\ndatabase = \"{database}\"\n\
             [service.login]\njson_file = \"login.json\"\n[service.tls]\nca_file = \"{}\"\n{more}",
            ca.display()
        );
        self.write("outlet.toml", &text);
    }

    async fn examined(&self) -> Vec<Check> {
        examine(&self.path("outlet.toml")).await
    }

    async fn finds(&self, name: &str) -> Check {
        let checks = self.examined().await;
        let worst = checks.iter().filter(|check| check.name == name);
        let worst = worst.max_by_key(|check| check.verdict);
        worst
            .unwrap_or_else(|| panic!("{name}: {checks:?}"))
            .clone()
    }
}

#[tokio::test]
async fn a_sound_outlet_without_its_hub_lacks_only_the_hub() {
    let home = Home::new();

    let checks = home.examined().await;

    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(failed, ["hub"], "{checks:?}");
    for check in &checks {
        assert_eq!(
            check.verdict > Verdict::Ok,
            check.fix.is_some(),
            "{check:?}"
        );
    }
}

#[tokio::test]
async fn each_fault_at_the_database_comes_with_the_line_to_write() {
    let home = Home::new();
    home.1.psql(
        "postgres",
        "CREATE ROLE visitor LOGIN PASSWORD 'pencil'; REVOKE CONNECT ON DATABASE other FROM PUBLIC",
    );

    let mut said = Vec::new();
    for (user, password, database, advice) in [
        ("loader", "wrong", "nyc", "ALTER ROLE loader PASSWORD"),
        ("loader", "pencil", "nowhere", "CREATE DATABASE nowhere"),
        (
            "crowded",
            "pencil",
            "nyc",
            "ALTER ROLE crowded CONNECTION LIMIT",
        ),
        (
            "visitor",
            "pencil",
            "other",
            "GRANT CONNECT ON DATABASE other TO visitor",
        ),
        ("by_md5", "pencil", "nyc", "scram-sha-256"),
        ("trusting", "pencil", "nyc", "hostssl nyc trusting"),
    ] {
        home.logs_in_as(user, password);
        home.configure(database, "");
        let check = home.finds("database").await;
        said.push((advice, check));
    }

    for (advice, check) in said {
        assert_eq!(check.verdict, Verdict::Fail, "{check:?}");
        assert!(
            check.fix.as_ref().unwrap().contains(advice),
            "{advice}: {check:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_and_a_closed_port_are_told_apart() {
    let home = Home::new();
    home.configure("nyc", "server_name = \"other.example\"\n");
    let name = home.finds("database").await;
    fs::write(home.path("outlet.toml"), {
        let text = fs::read_to_string(home.path("outlet.toml")).unwrap();
        text.replace(&format!("localhost:{}", home.1.port), "localhost:9")
    })
    .unwrap();
    let closed = home.finds("target").await;

    assert!(name.fix.unwrap().contains("ca_file"));
    assert!(closed.fix.unwrap().contains("listen_addresses"));
}

#[tokio::test]
async fn an_outlets_damaged_memory_of_who_was_revoked_is_blamed() {
    let home = Home::new();
    let before = home.examined().await;
    home.write("data/known.json", "{");

    let damaged = home.finds("known").await;

    assert!(before.iter().all(|check| check.name != "known"));
    assert_eq!(damaged.verdict, Verdict::Fail, "{damaged:?}");
    assert!(damaged.fix.is_some(), "{damaged:?}");
}

#[tokio::test]
async fn files_in_the_wrong_hands_are_named_with_the_command_that_mends_them() {
    let home = Home::new();
    let mode = |name: &str, mode| {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };

    mode("data/identity.key", 0o644);
    assert!(home.finds("keys").await.fix.unwrap().contains("chmod go="));
    mode("data/identity.key", 0o600);
    mode("data", 0o755);
    assert!(home.finds("data").await.fix.unwrap().contains("chmod go="));
    mode("data", 0o700);
    mode("owner.cedar", 0o666);
    assert!(
        home.finds("policy")
            .await
            .fix
            .unwrap()
            .contains("chmod o-w")
    );
    mode("owner.cedar", 0o600);
    home.write("owner.cedar", "permit (");
    assert_eq!(home.finds("policy").await.verdict, Verdict::Fail);
    fs::remove_file(home.path("data/noise.key")).unwrap();
    assert!(
        home.finds("keys")
            .await
            .fix
            .unwrap()
            .contains("outlet keys")
    );
    fs::remove_file(home.path("login.json")).unwrap();
    assert!(home.finds("database").await.fix.unwrap().contains("login"));
}

#[tokio::test]
async fn kill_switch_audit_and_configuration_are_looked_at() {
    let home = Home::new();
    Killed::default()
        .after(&Order::Kill(None))
        .store(&home.data())
        .unwrap();
    assert_eq!(home.finds("kill switch").await.verdict, Verdict::Warn);

    let audit = home.data().join("audit");
    fs::create_dir_all(&audit).unwrap();
    fs::write(audit.join("2026-01-01.jsonl"), "{}\n").unwrap();
    assert_eq!(home.finds("audit").await.verdict, Verdict::Fail);

    home.write("outlet.toml", "org = \"acme\"\nspeed = 1\n");
    let mistakes = home.examined().await;
    assert!(mistakes.len() > 3, "{mistakes:?}");
    assert!(
        mistakes
            .iter()
            .all(|check| check.name == "config" && check.fix.is_some())
    );
}
