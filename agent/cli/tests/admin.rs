//! The administrator's and the hub's commands, as they are typed: the real binary, real files, real signals.
//! What is asserted is what a script may rely on: exit codes, standard output, and what the hub does.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "admin/outlets.rs"]
mod outlets;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_link::now;
use tidegate_proto::{
    identity::PeerId,
    statement::{JoinLink, OrgBundle, TicketKind, VerifiedOrg},
};

fn tidegate(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .current_dir(dir)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An administrator's machine and a hub's, in one directory.
struct Place {
    dir: TempDir,
    root: String,
    port: u16,
}

/// Files of an org that was founded and signed once for all tests: a passphrase costs a second, by design.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// Root fingerprint and files.
static SIGNED: LazyLock<(String, Files)> = LazyLock::new(|| {
    let place = Place::founded();
    place.describe(15432);
    let sign = place.sign();
    assert!(sign.status.success(), "{}", complained(&sign));
    let mut files = Vec::new();
    read_all(place.dir.path(), Path::new(""), &mut files);
    (place.root, files)
});

fn read_all(base: &Path, below: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(base.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        if base.join(&path).is_dir() {
            read_all(base, &path, files);
        } else {
            files.push((path.clone(), std::fs::read(base.join(path)).unwrap()));
        }
    }
}

impl Place {
    /// Up to `org init`.
    fn founded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        secret(&dir.path().join("pass"), "correct horse battery\n");
        let init = tidegate(
            dir.path(),
            &[
                "org",
                "init",
                "--dir",
                "org",
                "--org",
                "acme",
                "--passphrase-file",
                "pass",
            ],
        );
        assert!(init.status.success(), "{}", complained(&init));
        Self {
            root: said(&init),
            dir,
            port: 0,
        }
    }

    /// Up to a signed bundle.
    fn signed() -> Self {
        let (root, files) = &*SIGNED;
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            tidegate_link::keyfile::private_directory(path.parent().unwrap()).ok(); // the first is the test's own
            secret(&path, content);
        }
        // Free now; nobody else is likely to take it in the next second.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self {
            root: root.clone(),
            dir,
            port,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        tidegate(self.dir.path(), args)
    }

    fn hub(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Fills in org.toml with the keys that hub and outlet print.
    fn describe(&self, service_port: u16) {
        let hub: Value =
            serde_json::from_str(&said(&self.run(&["hub", "keys", "--data", "hub"]))).unwrap();
        let outlet: Value =
            serde_json::from_str(&said(&self.run(&["outlet", "keys", "--data", "outlet"])))
                .unwrap();
        let text = format!(
            "policy = 'policy.cedar'\n[hub]\naddress = '127.0.0.1:7443'\nauthority_key = {}\nauthority_noise = {}\n\
             relay_noise = {}\n[idp]\nissuer = 'https://127.0.0.1:9/'\nclient_id = '0oa'\n\
             [[service]]\nname = 'warehouse'\nkind = 'tcp'\nport = {service_port}\n\
             outlet_identity = {}\noutlet_noise = {}\n",
            hub["authority"]["key"],
            hub["authority"]["noise"],
            hub["relay"]["noise"],
            outlet["identity"],
            outlet["noise"],
        );
        std::fs::write(self.path("org/org.toml"), text).unwrap();
    }

    fn sign(&self) -> Output {
        self.run(&[
            "org",
            "sign",
            "--dir",
            "org",
            "--out",
            "bundle.json",
            "--passphrase-file",
            "pass",
        ])
    }

    fn verified(&self) -> VerifiedOrg {
        let bundle = OrgBundle::parse(&std::fs::read(self.path("bundle.json")).unwrap()).unwrap();
        bundle
            .verify(self.root.parse().unwrap(), &"acme".parse().unwrap(), now())
            .unwrap()
    }

    fn start_hub(&self) -> Hub {
        let config = format!(
            "listen = '{}'\ndata = 'hub'\nbundle = 'bundle.json'\norg = 'acme'\nroot = '{}'\n",
            self.hub(),
            self.root
        );
        std::fs::write(self.path("hub.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command
            .current_dir(self.dir.path())
            .args(["hub", "run", "--config", "hub.toml"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut hub = Hub { process, log };
        hub.says("hub is listening");
        hub
    }
}

fn secret(path: &Path, content: impl AsRef<[u8]>) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(content.as_ref()).unwrap();
}

/// A running hub; killed if a test fails before it ends.
struct Hub {
    process: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Hub {
    /// Reads the log up to a line with these words.
    fn says(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("the hub ended without saying `{words}`")
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it as a service manager would.
    fn end(mut self) -> Duration {
        let began = Instant::now();
        self.signal(rustix::process::Signal::TERM);
        assert!(self.process.wait().unwrap().success());
        began.elapsed()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_new_org_has_an_encrypted_key_and_two_files_to_fill_in() {
    let place = Place::founded();

    assert!(place.root.parse::<PeerId>().is_ok(), "{}", place.root);
    let mode = |name: &str| {
        std::fs::metadata(place.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("org"), mode("org/root.age")), (0o700, 0o600));
    assert!(
        std::fs::read(place.path("org/root.age"))
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n-> scrypt ")
    );
    let unfilled = place.sign();
    assert_eq!(unfilled.status.code(), Some(2));
    for key in [
        "hub.authority_key",
        "hub.authority_noise",
        "hub.relay_noise",
        "idp.client_id",
        "service",
    ] {
        assert!(
            complained(&unfilled).contains(&format!("- {key}: ")),
            "{}",
            complained(&unfilled)
        );
    }
    assert!(!place.path("bundle.json").exists());

    let again = place.run(&[
        "org",
        "init",
        "--dir",
        "org",
        "--org",
        "acme",
        "--passphrase-file",
        "pass",
    ]);
    assert_eq!(again.status.code(), Some(6));
}

#[test]
fn the_passphrase_comes_from_a_file_of_the_administrators_only() {
    let place = Place::founded();
    place.describe(15432);
    let sign = |file: &str| {
        place.run(&[
            "org",
            "sign",
            "--dir",
            "org",
            "--out",
            "b.json",
            "--passphrase-file",
            file,
        ])
    };

    secret(&place.path("wrong"), "incorrect horse battery");
    assert_eq!(sign("wrong").status.code(), Some(6));
    assert!(complained(&sign("wrong")).contains("stays closed"));

    std::fs::set_permissions(place.path("pass"), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(complained(&sign("pass")).contains("Other users can read"));
    assert_eq!(sign("none").status.code(), Some(6));
    let nobody_to_ask = place.run(&["org", "sign", "--dir", "org", "--out", "b.json"]);
    assert_eq!(nobody_to_ask.status.code(), Some(6));
    assert!(!place.path("b.json").exists());
}

#[test]
fn versions_rise_for_what_changed_and_stay_for_what_did_not() {
    let place = Place::signed();
    let before = place.verified();
    place.describe(15433);

    let sign = place.sign();

    assert!(sign.status.success());
    let after = place.verified();
    assert!(after.authority.version > before.authority.version);
    assert!(after.services[0].version > before.services[0].version);
    assert_eq!(after.services[0].version, after.authority.version);
    assert_eq!((&after.idp, &after.policy), (&before.idp, &before.policy));
    assert!(
        complained(&sign).contains("kept     policy"),
        "{}",
        complained(&sign)
    );

    std::fs::remove_file(place.path("bundle.json")).unwrap();
    assert!(place.sign().status.success());
    assert!(
        place.verified().authority.version >= after.authority.version,
        "even when the old bundle is lost"
    );
}

#[test]
fn a_ticket_is_a_link_and_nothing_else_on_standard_output() {
    let place = Place::signed();

    let ticket = place.run(&[
        "ticket",
        "--dir",
        "org",
        "--sub",
        "00uana",
        "--hours",
        "2",
        "--passphrase-file",
        "pass",
    ]);

    let link = JoinLink::parse(&said(&ticket)).ok().unwrap();
    assert_eq!(
        (link.address.to_string(), link.root.to_string()),
        ("127.0.0.1:7443".to_owned(), place.root.clone())
    );
    let root = place.verified().root;
    let inside = link.ticket.unwrap();
    let statement = inside.verify(&root, &link.org).unwrap();
    assert_eq!(
        statement.kind,
        TicketKind::Device {
            sub: "00uana".parse().unwrap()
        }
    );
    assert!(now().until(statement.not_after) <= 2 * 3600);
    let key = said(&ticket).rsplit_once("&key=").unwrap().1.to_owned();
    assert!(!complained(&ticket).contains(&key));

    for hours in ["0", "169"] {
        let refused = place.run(&[
            "ticket",
            "--dir",
            "org",
            "--sub",
            "a",
            "--hours",
            hours,
            "--passphrase-file",
            "pass",
        ]);
        assert_eq!(refused.status.code(), Some(2), "{hours}");
    }
}

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
        (good(&place.root, "hub", "hub.toml"), 6, "is no bundle"),
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
    assert_eq!(none.status.code(), Some(6));
    assert!(complained(&none).contains("there is no laptop to shut out"));

    joined_laptop(&place, "00uana", "first");
    joined_laptop(&place, "00uana", "second");
    let listed: Value = serde_json::from_str(&said(&lost(&["--list", "--json"]))).unwrap();
    let name = listed["devices"][0]["name"].as_str().unwrap().to_owned();
    let which = lost(&[]);
    let done = lost(&["--device", &name]);
    let other = lost(&[]);

    assert_eq!(listed["devices"].as_array().unwrap().len(), 2);
    assert_eq!(which.status.code(), Some(6));
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
