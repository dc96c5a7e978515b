//! A private PostgreSQL for tests: its own directory, port, roles, and a CA made for it.
//! It runs as the user `postgres` when the test runs as root, since PostgreSQL refuses root.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Compiling a query (jit) hears no cancel until it is done, which takes a second on a busy machine.
const SETTINGS: &str = "
jit = off
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
ssl = on
fsync = off
max_connections = 60
log_min_messages = fatal
password_encryption = scram-sha-256
";
/// Who gets in how. Some roles exist for the ways in that an outlet refuses.
const RULES: &str = "
host    all  trusting   127.0.0.1/32  trust
host    all  by_md5     127.0.0.1/32  md5
host    all  in_clear   127.0.0.1/32  password
host    all  all        127.0.0.1/32  scram-sha-256
";
const ROLES: &str = "
CREATE ROLE loader LOGIN PASSWORD 'pencil';
CREATE ROLE crowded LOGIN PASSWORD 'pencil' CONNECTION LIMIT 0;
CREATE ROLE trusting LOGIN;
CREATE ROLE in_clear LOGIN PASSWORD 'pencil';
SET password_encryption = 'md5';
CREATE ROLE by_md5 LOGIN PASSWORD 'pencil';
CREATE DATABASE nyc OWNER loader;
CREATE DATABASE other OWNER loader;
";

pub(crate) struct Cluster {
    dir: TempDir,
    pub(crate) port: u16,
    server: Mutex<Child>,
}

impl Cluster {
    /// The one that other running tests use, or a new one.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// One that no other test uses: for tests that kill it.
    pub(crate) fn alone() -> Arc<Self> {
        Arc::new(Self::start())
    }

    /// As a power cut would: without a word to anybody.
    pub(crate) fn kill(&self) {
        self.end(rustix::process::Signal::QUIT);
    }

    pub(crate) fn start_again(&self) {
        *self.server() = serve(self.dir.path());
        self.wait_until_up();
    }

    fn end(&self, signal: rustix::process::Signal) {
        let mut server = self.server();
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&server), signal);
        let _ = server.wait();
    }

    fn server(&self) -> MutexGuard<'_, Child> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tidegate-pg-")
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(dir.path().join("password"), "admin-secret").unwrap();
        give_to_postgres(&data);
        let initdb = as_postgres("initdb")
            .args([
                "--no-sync",
                "--username=admin",
                "--auth-host=scram-sha-256",
                "--locale=C.UTF-8",
            ])
            .arg(format!(
                "--pwfile={}",
                dir.path().join("password").display()
            ))
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(initdb.success(), "initdb failed");
        certify(dir.path(), &data);
        let port = free_port();
        append(
            &data.join("postgresql.conf"),
            &format!("{SETTINGS}\nport = {port}\n"),
        );
        fs::write(data.join("pg_hba.conf"), RULES).unwrap();
        let server = Mutex::new(serve(dir.path()));
        let cluster = Self { dir, port, server };
        cluster.wait_until_up();
        cluster.psql("postgres", ROLES);
        cluster
    }

    /// An open port is not enough: for a moment it answers that it is starting.
    fn wait_until_up(&self) {
        let begun = Instant::now();
        while self.asked("postgres", "SELECT 1").is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "PostgreSQL did not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Runs SQL as the administrator, straight at the server, and gives what it printed.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        self.asked(database, sql)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    fn asked(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(binary("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-U", "admin", "-d", database])
            .args(["-p", &self.port.to_string()])
            .args(
                sql.split(';')
                    .filter(|one| !one.trim().is_empty())
                    .flat_map(|one| ["-c", one]),
            )
            .env("PGPASSWORD", "admin-secret")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Fast shutdown: ends the sessions, too.
        self.end(rustix::process::Signal::INT);
    }
}

fn serve(dir: &Path) -> Child {
    let log = fs::File::create(dir.join("log")).unwrap();
    as_postgres("postgres")
        .arg("-D")
        .arg(dir.join("data"))
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A PostgreSQL program; the test fails clearly when there is none.
pub(crate) fn binary(name: &str) -> PathBuf {
    let dir = std::env::var_os("TIDEGATE_PG_BIN")
        .map_or_else(|| "/usr/lib/postgresql/15/bin".into(), PathBuf::from);
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: install PostgreSQL or set TIDEGATE_PG_BIN",
        path.display()
    );
    path
}

fn as_postgres(program: &str) -> Command {
    let mut command = Command::new(binary(program));
    command.current_dir("/");
    if let Some((uid, gid)) = postgres_if_root() {
        command.uid(uid).gid(gid);
    }
    command
}

fn postgres_if_root() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("there is a user postgres");
    let ids: Vec<u32> = line
        .split(':')
        .skip(2)
        .take(2)
        .map(|id| id.parse().unwrap())
        .collect();
    Some((ids[0], ids[1]))
}

fn give_to_postgres(path: &Path) {
    fs::set_permissions(
        path,
        fs::Permissions::from_mode(if path.is_dir() { 0o700 } else { 0o600 }),
    )
    .unwrap();
    if let Some((uid, gid)) = postgres_if_root() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// A CA, and a certificate for `localhost` signed by it.
fn certify(dir: &Path, data: &Path) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(vec![]).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    fs::write(dir.join("ca.pem"), ca_certificate.pem()).unwrap();
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(data.join(name), text).unwrap();
        give_to_postgres(&data.join(name));
    }
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap();
    fs::write(path, before + text).unwrap();
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
