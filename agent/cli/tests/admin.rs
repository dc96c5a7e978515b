//! The administrator's and the hub's commands, as they are typed: the real binary, real files, real signals.
//! What is asserted is what a script may rely on: exit codes, standard output, and what the hub does.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "admin/hostile.rs"]
mod hostile;
#[path = "people/judge.rs"]
mod judge;
#[path = "admin/org.rs"]
mod org;
#[path = "admin/outlets.rs"]
mod outlets;
#[path = "admin/relay_doctor.rs"]
mod relay_doctor;
#[path = "admin/running_hub.rs"]
mod running_hub;
#[path = "admin/shut_out.rs"]
mod shut_out;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Below what the system gives to whoever asks for any port (from 32768 on), so no test beside this one is given it before the hub has it.
fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(1009);
    (0..10_000)
        .map(|_| begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .filter_map(|offset| u16::try_from(20_000 + offset).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("some port of ten thousand is free")
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
        Self {
            root: root.clone(),
            dir,
            port: free_port(),
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
