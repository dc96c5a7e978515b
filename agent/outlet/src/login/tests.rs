//! Logins from every source, readable by too many, and never repeated in an error.
#![allow(clippy::unwrap_used)]
use super::*;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};

const CANARY: &str = "hunter2-canary";

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(source: &LoginSource) -> LoginError {
    source.load().err().unwrap()
}

#[test]
fn reads_a_login_from_the_environment_by_prefix() {
    let set = |name: &str| -> Option<OsString> {
        match name {
            "WH_USERNAME" => Some("reader".into()),
            "WH_PASSWORD" => Some("s3cret".into()),
            "WH_PORT" => Some("5433".into()),
            _ => None,
        }
    };

    let login = LoginSource::Environment("WH".into())
        .load_with(&set)
        .ok()
        .unwrap();

    assert_eq!(
        (login.user.as_str(), login.password.as_str()),
        ("reader", "s3cret")
    );
    assert_eq!(
        (login.host, login.port, login.database),
        (None, Some(5433), None)
    );
}

#[test]
fn names_the_variable_that_is_not_set() {
    let error = LoginSource::Environment("WH".into())
        .load_with(&|_| None)
        .err()
        .unwrap();

    assert_eq!(
        error.to_string(),
        "the login cannot be read: environment variable WH_USERNAME: it is not set"
    );
}

#[test]
fn reads_a_mounted_directory_through_the_links_that_kubernetes_makes() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("..2026_01_31");
    std::fs::create_dir(&real).unwrap();
    for (key, value) in [
        ("username", "reader"),
        ("password", "with space "),
        ("host", "db"),
        ("port", "5432\n"),
        ("database", "wh"),
    ] {
        write(&real.join(key), &format!("{value}\n"), 0o440);
    }
    symlink("..2026_01_31", dir.path().join("..data")).unwrap();
    for key in ["username", "password", "host", "port", "database"] {
        symlink(format!("..data/{key}"), dir.path().join(key)).unwrap();
    }

    let login = LoginSource::Directory(dir.path().to_owned())
        .load()
        .ok()
        .unwrap();

    assert_eq!(login.password.as_str(), "with space ");
    assert_eq!(
        (login.host.as_deref(), login.port, login.database.as_deref()),
        (Some("db"), Some(5432), Some("wh"))
    );
}

#[test]
fn reads_the_shape_of_a_secrets_manager_with_its_port_as_text_or_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("login.json");
    for port in ["5432", "\"5432\""] {
        let text = format!(
            r#"{{"engine":"postgres","host":"db","port":{port},"dbname":"wh","username":"u","password":"p\"w"}}"#
        );
        write(&path, &text, 0o600);

        let login = LoginSource::JsonFile(path.clone()).load().ok().unwrap();

        assert_eq!(
            (
                login.port,
                login.password.as_str(),
                login.database.as_deref()
            ),
            (Some(5432), "p\"w", Some("wh"))
        );
    }
}

#[test]
fn notices_a_rotated_password_at_the_next_connection() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("username"), "u", 0o600);
    write(&dir.path().join("password"), "old", 0o600);
    let source = LoginSource::Directory(dir.path().to_owned());
    let before = source.load().ok().unwrap();

    write(&dir.path().join("password"), "new", 0o600);
    let after = source.load().ok().unwrap();

    assert_eq!(
        (before.password.as_str(), after.password.as_str()),
        ("old", "new")
    );
}

#[test]
fn refuses_a_secret_that_the_world_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("login.json");
    for mode in [0o604, 0o644, 0o602, 0o601, 0o666] {
        write(&path, r#"{"username":"u","password":"p"}"#, mode);

        let error = refused(&LoginSource::JsonFile(path.clone()));

        assert_eq!(
            error.fault,
            LoginFault::File(SecretFault::OpenToAll),
            "mode {mode:o}"
        );
        assert!(error.to_string().contains("login.json"));
    }
    write(&path, r#"{"username":"u","password":"p"}"#, 0o660);
    assert_eq!(
        refused(&LoginSource::JsonFile(path)).fault,
        LoginFault::File(SecretFault::GroupWritable)
    );
}

#[test]
fn refuses_pipes_directories_and_files_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let huge = dir.path().join("huge");
    write(&huge, &"x".repeat(70_000), 0o600);

    for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
        assert_eq!(
            refused(&LoginSource::JsonFile(path.to_owned())).fault,
            LoginFault::File(SecretFault::NotAFile)
        );
    }
    assert_eq!(
        refused(&LoginSource::JsonFile(huge)).fault,
        LoginFault::File(SecretFault::TooLarge)
    );
}

#[test]
fn no_error_repeats_what_a_source_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("login.json");
    let cases = [
        format!(r#"{{"username":"u","password":"{CANARY}","port":99999}}"#),
        format!(r#"{{"username":"u","password":"{CANARY}","port":"{CANARY}"}}"#),
        format!(r#"{{"username":"u","password":["{CANARY}"]}}"#),
        format!(r#"{{"username":"u","password":"{CANARY}\u0000"}}"#),
        format!(r#"{{"username":"","password":"{CANARY}"}}"#),
        CANARY.to_owned(),
    ];
    for case in cases {
        write(&path, &case, 0o600);

        let error = refused(&LoginSource::JsonFile(path.clone()));

        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}
