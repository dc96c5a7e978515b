//! Configurations as people write them, with the mistakes they make.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::login::LoginSource;
use crate::target_tls::{TargetTls, Trust};
use tidegate_link::settings_file::ConfigMistake;

const ROOT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn good() -> String {
    format!(
        r#"
        org = "acme"
        root = "{ROOT}"
        hub = "hub.example.com:7443"
        data = "/var/lib/outlet"
        policy = "owner.cedar"
        owner = "this-computer"
        time_zone = "Europe/Berlin"

        [[service]]
        name = "warehouse"
        kind = "postgres"
        target = "db.internal:5432"
        database = "flights"
        login = {{ directory = "/run/secrets/warehouse" }}
        tls = {{ ca_file = "ca.pem" }}

        [[service]]
        name = "cache"
        kind = "tcp"
        target = "[::1]:6379"
        "#
    )
}

fn mistakes(text: &str) -> Vec<ConfigMistake> {
    OutletConfig::from_toml(text).err().unwrap().0
}

fn keys(text: &str) -> Vec<String> {
    mistakes(text).into_iter().map(|m| m.key).collect()
}

#[test]
fn reads_a_whole_file() {
    let config =
        settings_file::parse(&good(), Path::new("/etc/tidegate"), OutletConfig::read).unwrap();

    assert_eq!(config.policy, Path::new("/etc/tidegate/owner.cedar"));
    assert_eq!(config.owner, Owner::ThisComputer);
    assert_eq!(
        config.audit,
        AuditPlace::Daily("/var/lib/outlet/audit".into())
    );
    assert_eq!(config.limits, Limits::default());
    let [warehouse, cache] = &config.services[..] else {
        panic!("two services")
    };
    let Target::Postgres(postgres) = &warehouse.target else {
        panic!("postgres")
    };
    assert_eq!(
        postgres.login,
        LoginSource::Directory("/run/secrets/warehouse".into())
    );
    let ca = Trust::File("/etc/tidegate/ca.pem".into());
    assert_eq!(
        postgres.tls,
        TargetTls::Verified {
            trust: ca,
            server_name: None
        }
    );
    assert_eq!(cache.target, Target::Tcp("[::1]:6379".parse().unwrap()));
}

#[test]
fn reports_every_mistake_at_once_with_key_reason_and_fix() {
    let text = r#"
        org = "Acme Corp"
        root = "short"
        data = ""
        polcy = "x"
        time_zone = "Mars/Base"
        limits = { warm = 0, circuits = "many" }
        [[service]]
        name = "../../x"
        kind = "postgres"
        target = "nowhere"
        login = { env = "1X", directory = "/a" }
        tls = { mode = "require" }
        [[service]]
        name = "b"
        kind = "mysql"
    "#;

    let all = mistakes(text);
    let found: Vec<&str> = all.iter().map(|m| m.key.as_str()).collect();

    let expected = [
        "org",
        "root",
        "hub",
        "data",
        "policy",
        "owner",
        "time_zone",
        "limits.circuits",
        "limits.warm",
        "service[0].name",
        "service[0].target",
        "service[0].login",
        "service[0].login.env",
        "service[0].tls.mode",
        "service[1].kind",
        "polcy",
    ];
    assert_eq!(found, expected);
    assert!(
        all.iter()
            .all(|m| !m.reason.is_empty() && !m.fix.text().is_empty())
    );
    let typo = all.iter().find(|m| m.key == "polcy").unwrap();
    assert_eq!(
        typo.fix.text(),
        "policy if you meant that, or take the line out"
    );
}

#[test]
fn refuses_addresses_where_no_service_lives() {
    for target in [
        "169.254.169.254:80",
        "[fe80::1]:5432",
        "[::ffff:169.254.169.254]:80",
        "224.0.0.1:1",
        "0.0.0.0:22",
        "[::]:22",
    ] {
        let text = good().replace("[::1]:6379", target);

        assert_eq!(keys(&text), ["service[1].target"], "{target}");
    }
}

#[test]
fn tls_is_off_only_on_loopback() {
    let off = good().replace("{ ca_file = \"ca.pem\" }", "{ mode = \"off\" }");

    assert_eq!(keys(&off), ["service[0].tls.mode"]);
    assert!(OutletConfig::from_toml(&off.replace("db.internal:", "127.0.0.1:")).is_ok());
}

#[test]
fn refuses_two_services_of_one_name() {
    assert_eq!(
        keys(&good().replace("\"cache\"", "\"warehouse\"")),
        ["service[1].name"]
    );
}

#[test]
fn names_the_line_that_is_not_toml() {
    let found = mistakes("org = \"acme\"\nroot = \n");

    assert_eq!((found.len(), found[0].key.as_str()), (1, "line 2"));
}

#[test]
fn a_file_that_every_user_can_change_is_no_configuration() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outlet.toml");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();

    let Mistakes(found) = OutletConfig::load(&path).err().unwrap();

    assert_eq!(found[0].reason, "every user can change it");
    assert_eq!(
        found[0].fix.to_string(),
        "Take that right away: chmod o-w on it."
    );
}

#[test]
fn refuses_files_that_are_no_files() {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        dir.path(),
        Path::new("/dev/zero"),
        &dir.path().join("missing"),
    ] {
        assert_eq!(
            OutletConfig::load(path).err().unwrap().0.len(),
            1,
            "{}",
            path.display()
        );
    }
    let huge = dir.path().join("huge.toml");
    std::fs::write(&huge, vec![b'#'; 300 * 1024]).unwrap();
    assert_eq!(
        OutletConfig::load(&huge).err().unwrap().0[0].reason,
        "it is larger than 256 KiB"
    );
}

/// The first service, with one more line.
fn postgres(said: &str) -> PostgresTarget {
    let with = good().replace(
        "kind = \"postgres\"",
        &format!("kind = \"postgres\"\n        {said}"),
    );
    let config = OutletConfig::from_toml(&with).unwrap();
    let Target::Postgres(target) = config.services[0].target.clone() else {
        panic!("postgres")
    };
    target
}

fn statements(said: &str) -> Option<StatementSettings> {
    postgres(said).statements
}

#[test]
fn statements_are_recorded_only_as_the_owner_says() {
    assert_eq!(statements(""), None);
    assert_eq!(statements("statements = { record = \"none\" }"), None);
    let plain = StatementSettings {
        record: TextKept::Text,
        parameters: ParametersKept::None,
        when_full: WhenFull::Block,
    };
    assert_eq!(
        statements("statements = { record = \"text\" }"),
        Some(plain)
    );
    let all =
        "statements = { record = \"redacted\", parameters = \"values\", when_full = \"gap\" }";
    assert_eq!(
        statements(all).unwrap().to_string(),
        "record redacted, parameters values, when_full gap"
    );
    let wrong = "kind = \"postgres\"\n        statements = { record = \"all\", when_full = \"drop\", max = 1 }";
    assert_eq!(
        keys(&good().replace("kind = \"postgres\"", wrong)),
        [
            "service[0].statements.record",
            "service[0].statements.when_full",
            "service[0].statements.max"
        ]
    );
    let both =
        "kind = \"postgres\"\n        statements = { record = \"none\", parameters = \"values\" }";
    assert_eq!(
        keys(&good().replace("kind = \"postgres\"", both)),
        ["service[0].statements.record"],
        "values without texts is no choice that is kept"
    );
}

#[test]
fn sessions_run_under_temporary_roles_only_as_the_owner_says() {
    assert_eq!(postgres("").roles, None);
    let plain = postgres("roles = { member_of = \"analysts\" }");
    let roles = plain.roles.clone().unwrap();
    assert_eq!(roles.group(false), "analysts");
    assert!(!Target::Postgres(plain).holds_read_only());
    let all = "roles = { member_of = \"analysts\", read_only_member_of = \"readers\", \
               statement_seconds = 600, idle_in_transaction_seconds = 60 }";
    let both = postgres(all);
    let roles = both.roles.clone().unwrap();
    assert_eq!(
        (roles.group(false), roles.group(true)),
        ("analysts", "readers")
    );
    assert_eq!(roles.statement, Some(Duration::from_mins(10)));
    assert_eq!(roles.idle_in_transaction, Some(Duration::from_mins(1)));
    assert!(Target::Postgres(both).holds_read_only());
}

#[test]
fn names_each_mistake_about_temporary_roles() {
    for (said, key) in [
        ("roles = { }", "member_of"),
        ("roles = { read_only_member_of = \"readers\" }", "member_of"),
        ("roles = { member_of = \"\" }", "member_of"),
        (
            "roles = { member_of = \"a\", read_only_member_of = \"a\" }",
            "read_only_member_of",
        ),
        ("roles = { member_of = \"pg_read_all_data\" }", "member_of"),
        ("roles = { member_of = \"none\" }", "member_of"),
        (
            "roles = { member_of = \"a\", read_only_member_of = \"pg_monitor\" }",
            "read_only_member_of",
        ),
        (
            "roles = { member_of = \"a\", statement_seconds = 0 }",
            "statement_seconds",
        ),
        (
            "roles = { member_of = \"a\", statement_seconds = 86401 }",
            "statement_seconds",
        ),
        (
            "roles = { member_of = \"a\", idle_in_transaction_seconds = \"1m\" }",
            "idle_in_transaction_seconds",
        ),
        ("roles = { member_of = \"a\", group = \"b\" }", "group"),
    ] {
        let with = good().replace(
            "kind = \"postgres\"",
            &format!("kind = \"postgres\"\n        {said}"),
        );
        assert_eq!(keys(&with), [format!("service[0].roles.{key}")], "{said}");
    }
    let long = format!(
        "kind = \"postgres\"\n        roles = {{ member_of = \"{}\" }}",
        "x".repeat(64)
    );
    assert_eq!(
        keys(&good().replace("kind = \"postgres\"", &long)),
        ["service[0].roles.member_of"]
    );
}
