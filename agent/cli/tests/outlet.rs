//! The outlet's verbs as a person or a service manager meets them: output, exit codes, and what is said.
//! No hub is needed: an outlet starts without one.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn tidegate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn config(dir: &Path, policy: &str) -> String {
    let path = dir.join("outlet.toml");
    std::fs::write(dir.join("owner.cedar"), policy).unwrap();
    let toml = "org = \"acme\"\nroot = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\nhub = \"127.0.0.1:9\"\n\
        data = \"data\"\npolicy = \"owner.cedar\"\nowner = \"this-computer\"\n[[service]]\nname = \"echo\"\nkind = \"tcp\"\ntarget = \"127.0.0.1:7\"\n";
    std::fs::write(&path, toml).unwrap();
    path.display().to_string()
}

/// Runs the outlet until its kill switch answers, then ends it as a service manager would.
fn run_and_end(config: &str, data: &str, meanwhile: impl FnOnce()) -> i32 {
    let mut outlet = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["outlet", "run", "--config", config])
        .spawn()
        .unwrap();
    let socket = Path::new(data).join("outlet.sock");
    for _ in 0..500 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    meanwhile();
    let pid = rustix::process::Pid::from_child(&outlet);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    outlet.wait().unwrap().code().unwrap_or(-1)
}

#[test]
fn keys_are_made_once_and_printed_as_json() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();

    let first = tidegate(&["outlet", "keys", "--data", &data]);
    let again = tidegate(&["outlet", "keys", "--data", &data]);

    assert!(first.status.success());
    assert_eq!(first.stdout, again.stdout);
    let keys: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(
        (
            keys["identity"].as_str().unwrap().len(),
            keys["noise"].as_str().unwrap().len()
        ),
        (43, 43)
    );
    let identity: tidegate_proto::identity::VerifyKey =
        keys["identity"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        keys["fingerprint"],
        identity.peer_id().to_string(),
        "by this one it is revoked"
    );
}

#[test]
fn every_mistake_in_the_configuration_is_listed_with_its_fix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outlet.toml");
    std::fs::write(
        &path,
        "org = \"Acme!\"\nhub = 7\n[[service]]\nname = \"x\"\nkind = \"tcp\"\n",
    )
    .unwrap();

    let refused = tidegate(&["outlet", "run", "--config", &path.display().to_string()]);

    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    for key in [
        "org:",
        "root:",
        "hub:",
        "data:",
        "policy:",
        "owner:",
        "service[0].target:",
    ] {
        assert!(said.contains(&format!("- {key}")), "{key} in {said}");
    }
}

#[test]
fn an_outlet_without_keys_says_how_to_make_them() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");

    let refused = tidegate(&["outlet", "run", "--config", &config]);

    assert_eq!(refused.status.code(), Some(6));
    assert!(text(&refused.stderr).contains("tidegate outlet keys"));
}

#[test]
fn a_kill_reaches_a_running_outlet_and_one_that_starts_later() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");
    let data = dir.path().join("data").display().to_string();
    tidegate(&["outlet", "keys", "--data", &data]);

    let early = tidegate(&["outlet", "kill", "--data", &data, "--service", "echo"]);
    assert_eq!(
        text(&early.stdout).trim(),
        r#"{"killed":{"all":false,"services":["echo"]}}"#
    );
    let code = run_and_end(&config, &data, || {
        let second = tidegate(&["outlet", "run", "--config", &config]);
        assert_eq!(
            second.status.code(),
            Some(6),
            "one outlet for one data directory"
        );
        let undone = tidegate(&["outlet", "kill", "--config", &config, "--undo"]);
        assert_eq!(
            text(&undone.stdout).trim(),
            r#"{"killed":{"all":false,"services":[]}}"#
        );
    });

    assert_eq!(code, 0);
}

#[test]
fn an_audit_is_proved_and_a_changed_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");
    let data = dir.path().join("data").display().to_string();
    let keys = tidegate(&["outlet", "keys", "--data", &data]);
    let keys: serde_json::Value = serde_json::from_slice(&keys.stdout).unwrap();
    let identity = keys["identity"].as_str().unwrap();
    assert_eq!(run_and_end(&config, &data, || {}), 0);
    let audit = format!("{data}/audit");

    let proved = tidegate(&[
        "audit",
        "verify",
        &audit,
        "--org",
        "acme",
        "--identity",
        identity,
    ]);
    let report: serde_json::Value = serde_json::from_slice(&proved.stdout).unwrap();
    assert_eq!(
        (report["whole"].as_bool(), report["events"].as_u64()),
        (Some(true), Some(2))
    );
    assert_eq!(report["end_was_compared"], true);

    log_shows_it(&data);
    let file = std::fs::read_dir(&audit)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = file
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .unwrap();
    let lines = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, lines.replacen("eyJ", "eyK", 1)).unwrap();
    let broken = tidegate(&["audit", "verify", &audit]);
    assert_eq!(broken.status.code(), Some(6));
    assert!(
        text(&broken.stderr).contains("line 1"),
        "{}",
        text(&broken.stderr)
    );
    assert_eq!(
        tidegate(&["audit", "verify", "/nonexistent"]).status.code(),
        Some(2)
    );
}

/// The same audit for people, for programs, and what is asked of it wrongly.
fn log_shows_it(data: &str) {
    let shown = |words: &[&str]| {
        let ran = tidegate(&[&["log", data], words].concat());
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        text(&ran.stdout).to_owned()
    };
    let all = shown(&[]);
    let lines: Vec<_> = all.lines().collect();
    assert!(
        lines[0].ends_with("outlet        started, version 0.1.0"),
        "{all}"
    );
    assert!(lines[1].ends_with("outlet        stopped"), "{all}");
    assert_eq!(lines.len(), 2);

    let last = shown(&["--json", "--last", "1"]);
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["what"]["kind"], &last["seq"]),
        (&"stopped".into(), &2.into())
    );
    assert_eq!(shown(&["--kind", "started"]).lines().count(), 1);
    assert_eq!(
        shown(&["--since", "1h", "--until", "0s"]).lines().count(),
        2
    );
    for none in [
        ["--until", "2026-01-01"],
        ["--who", "00uana"],
        ["--service", "x"],
    ] {
        assert_eq!(shown(&none), "");
    }

    let empty = tempfile::tempdir().unwrap();
    for nowhere in ["/nonexistent", &empty.path().display().to_string()] {
        let ran = tidegate(&["log", nowhere]);
        assert_eq!(ran.status.code(), Some(6));
        assert!(text(&ran.stderr).contains("an audit file, a directory"));
    }
    let no_time = tidegate(&["log", data, "--since", "yesterday"]);
    assert_eq!(no_time.status.code(), Some(2));
}

/// The command where every user of this computer can run it, and the user `nobody`; `None` where this test is not root's.
fn for_nobody(dir: &Path) -> Option<impl Fn(&[&str]) -> Output> {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        eprintln!("not played: only root can be two users");
        return None;
    }
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    let tidegate = dir.join("tidegate");
    // By a program of its own: what this one has open for writing, a test that starts something at that moment would inherit.
    let copied = Command::new("cp")
        .args([env!("CARGO_BIN_EXE_tidegate").as_ref(), tidegate.as_path()])
        .status();
    assert!(copied.unwrap().success());
    Some(move |args: &[&str]| {
        let mut command = Command::new(&tidegate);
        command.uid(NOBODY).gid(NOBODY).args(args);
        command.output().unwrap()
    })
}

#[test]
fn a_kill_by_root_is_the_outlets_own_and_keeps_it_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(nobody) = for_nobody(dir.path()) else {
        return;
    };
    let data = dir.path().join("data");
    tidegate_link::keyfile::private_directory(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(65_534), Some(65_534)).unwrap();
    let data = data.display().to_string();
    assert!(
        nobody(&["outlet", "keys", "--data", &data])
            .status
            .success()
    );
    let root = |args: &[&str]| {
        let mut command = Command::new(dir.path().join("tidegate"));
        let whole = [&["outlet", "kill", "--data", &data][..], args].concat();
        command.args(whole).output().unwrap()
    };

    let killed = root(&["--service", "echo"]);

    assert_eq!(
        text(&killed.stdout).trim(),
        r#"{"killed":{"all":false,"services":["echo"]}}"#
    );
    let more = nobody(&["outlet", "kill", "--data", &data, "--service", "cache"]);
    assert_eq!(
        text(&more.stdout).trim(),
        r#"{"killed":{"all":false,"services":["cache","echo"]}}"#,
        "{}",
        text(&more.stderr)
    );
    let undone = root(&["--undo"]);
    assert_eq!(
        text(&undone.stdout).trim(),
        r#"{"killed":{"all":false,"services":[]}}"#,
        "{}",
        text(&undone.stderr)
    );
}

#[test]
fn an_audit_that_may_not_be_read_is_not_called_missing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(nobody) = for_nobody(dir.path()) else {
        return;
    };
    let data = dir.path().join("data").display().to_string();
    tidegate(&["outlet", "keys", "--data", &data]);

    let refused = nobody(&["audit", "verify", &format!("{data}/audit")]);

    assert_eq!(refused.status.code(), Some(6));
    let said = text(&refused.stderr);
    assert!(said.contains("the audit cannot be read"), "{said}");
    assert!(said.contains("sudo -u tidegate-outlet"), "{said}");
    assert!(!said.contains("there is no audit"), "{said}");
}

/// The owner signs on a machine of their own; the outlet takes that, and nothing older, forged or unsigned.
#[test]
fn an_owner_signs_a_policy_that_the_outlet_never_takes_back() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let config = config(dir.path(), "permit (principal, action, resource);");
    tidegate(&["outlet", "keys", "--data", &at("data")]);
    std::fs::write(at("pass"), "correct horse battery").unwrap();
    std::fs::set_permissions(
        at("pass"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let (key, pass) = (at("owner"), at("pass"));
    let secret = ["--dir", &key, "--passphrase-file", &pass];
    let owner = tidegate(&[&["outlet", "owner", "init", "--org", "acme"][..], &secret].concat());
    let public = text(&owner.stdout).trim().to_owned();
    assert_eq!(public.len(), 43, "{}", text(&owner.stderr));
    let again = tidegate(&[&["outlet", "owner", "init", "--org", "acme"][..], &secret].concat());
    assert_eq!(again.status.code(), Some(6), "a key is never overwritten");
    let sign = |policy: &str, out: &str| {
        tidegate(
            &[
                &["outlet", "policy", "sign", "--out", out, policy][..],
                &secret,
            ]
            .concat(),
        )
    };
    let toml = std::fs::read_to_string(&config).unwrap();
    let named = toml.replace("this-computer", &public);
    std::fs::write(&config, named.replace("owner.cedar", "owner.jws")).unwrap();

    let (old, new) = (at("old.jws"), at("owner.jws"));
    assert!(sign(&at("owner.cedar"), &old).status.success());
    std::fs::copy(&old, &new).unwrap();
    let signed = sign(&at("owner.cedar"), &new);
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    assert_eq!(run_and_end(&config, &at("data"), || {}), 0);

    let refused = |why: &str| {
        let outlet = tidegate(&["outlet", "run", "--config", &config]);
        assert_eq!(outlet.status.code(), Some(6));
        assert!(
            text(&outlet.stderr).contains(why),
            "{}",
            text(&outlet.stderr)
        );
    };
    let newest = std::fs::read_to_string(&new).unwrap();
    std::fs::copy(&old, &new).unwrap();
    refused("older than one that was in force");
    std::fs::copy(at("owner.cedar"), &new).unwrap();
    refused("not signed by the owner's key");
    std::fs::write(&new, newest.replacen('e', "f", 1)).unwrap();
    refused("not signed by the owner's key");
    std::fs::write(at("owner.cedar"), "permit (").unwrap();
    assert_eq!(sign(&at("owner.cedar"), &new).status.code(), Some(6));
    assert_eq!(sign(&at("nothing.cedar"), &new).status.code(), Some(6));
}
