//! A session of its own for a test: a private bus, and on it the keyring daemon that Debian's desktops use.
//! Nothing can be started by the bus itself, so the daemon is there when the test says so and never otherwise.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use dbus::Message;
use dbus::arg::{RefArg, Variant};
use dbus::blocking::Connection;
use dbus::message::MatchRule;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PLAY: &str = "TIDEGATE_TEST_SESSION_PLAY";
const PATIENCE: Duration = Duration::from_secs(90);
const BUS_LIMIT: Duration = Duration::from_secs(10);
const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";
const PASSWORD: &str = "the person's password";
/// A bus that starts nobody.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

/// Runs the hidden test `hidden` of this very binary in a session of its own, as `play`.
pub(crate) async fn run(hidden: &str, play: &str) {
    let home = tempfile::tempdir().unwrap();
    let bus = home.path().join("bus.conf");
    std::fs::write(&bus, BUS).unwrap();
    let run = home.path().join("run");
    tidegate_link::keyfile::private_directory(&run).unwrap();
    let played = Command::new("dbus-run-session")
        .arg("--config-file")
        .arg(&bus)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", hidden, "--ignored", "--nocapture"])
        .env(PLAY, play)
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("share"))
        .env("XDG_RUNTIME_DIR", &run)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, played)
        .await
        .unwrap_or_else(|_| panic!("{play} took too long"))
        .expect("dbus-run-session is needed (`cargo xtask setup`)");
    let told =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{play}:\n{}", told.join("\n"));
    assert!(told[0].contains("1 passed"), "{play} was not played");
}

/// What is to be played in this session; `None` outside of one.
pub(crate) fn play() -> Option<String> {
    std::env::var(PLAY).ok()
}

/// The keyring daemon. It ends with this value.
pub(crate) struct Keyring(Child);

impl Keyring {
    /// As a desktop starts it at login: open.
    pub(crate) async fn open() -> Self {
        Self::start(true).await
    }

    /// As after a login without a password: there, and locked.
    pub(crate) async fn locked() -> Self {
        Self::start(false).await
    }

    async fn start(open: bool) -> Self {
        let watch = Bus::watch();
        let mut command = Command::new("gnome-keyring-daemon");
        command
            .args(["--foreground", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if open {
            command.arg("--unlock");
        }
        let mut daemon = command
            .spawn()
            .expect("gnome-keyring-daemon is needed (`cargo xtask setup`)");
        let mut stdin = daemon.stdin.take().unwrap();
        if open {
            stdin.write_all(PASSWORD.as_bytes()).await.unwrap();
        }
        drop(stdin);
        watch.until_there(true).await;
        Self(daemon)
    }

    /// The person locks it.
    pub(crate) async fn lock(&self) {
        Bus::ask(|bus| {
            let call = message(PATH, "org.freedesktop.Secret.Service", "Lock");
            let login = dbus::Path::from(LOGIN);
            bus.send(call.append1(vec![login]))
        })
        .await;
    }

    /// The person types the password, without the dialog that nobody could see here.
    pub(crate) async fn unlock(&self) {
        Bus::ask(|bus| {
            let call = message(PATH, "org.freedesktop.Secret.Service", "OpenSession");
            let nothing: Variant<Box<dyn RefArg>> = Variant(Box::new(String::new()));
            let answer = bus.send(call.append2("plain", nothing))?;
            let (_, session): (Variant<Box<dyn RefArg>>, dbus::Path<'static>) =
                answer.read2().unwrap();
            let secret = (
                session,
                Vec::<u8>::new(),
                PASSWORD.as_bytes().to_vec(),
                "text/plain",
            );
            let unlock = message(
                PATH,
                "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface",
                "UnlockWithMasterPassword",
            );
            bus.send(unlock.append2(dbus::Path::from(LOGIN), secret))
        })
        .await;
    }

    /// It does not get to run: nothing is answered, and nothing refused.
    pub(crate) fn hang(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) async fn end(mut self) {
        let watch = Bus::watch();
        self.signal(Signal::TERM);
        self.0.wait().await.unwrap();
        watch.until_there(false).await;
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

/// Where the daemon keeps its secrets.
pub(crate) fn files() -> PathBuf {
    Path::new(&std::env::var_os("XDG_DATA_HOME").unwrap()).join("keyrings")
}

fn message(path: &str, interface: &str, member: &str) -> Message {
    Message::new_method_call(
        NAME,
        path.to_owned(),
        interface.to_owned(),
        member.to_owned(),
    )
    .unwrap()
}

struct Bus(Connection);

impl Bus {
    /// Notices from now on who comes and goes.
    fn watch() -> Self {
        let bus = Connection::new_session().unwrap();
        let rule = MatchRule::new_signal("org.freedesktop.DBus", "NameOwnerChanged");
        bus.add_match(rule, |(): (), _, _| true).unwrap();
        Self(bus)
    }

    async fn until_there(self, there: bool) {
        let waited = tokio::task::spawn_blocking(move || {
            let bus = self.0;
            let proxy = bus.with_proxy("org.freedesktop.DBus", "/", BUS_LIMIT);
            loop {
                let (has,): (bool,) = proxy
                    .method_call("org.freedesktop.DBus", "NameHasOwner", (NAME,))
                    .unwrap();
                if has == there {
                    return;
                }
                bus.process(Duration::from_secs(1)).unwrap();
            }
        });
        timeout(BUS_LIMIT, waited).await.unwrap().unwrap();
    }

    async fn ask(what: impl FnOnce(&Self) -> Result<Message, dbus::Error> + Send + 'static) {
        let asked = tokio::task::spawn_blocking(move || {
            let bus = Self(Connection::new_session().unwrap());
            what(&bus).map(drop).map_err(|error| error.to_string())
        });
        asked.await.unwrap().unwrap();
    }

    fn send(&self, message: Message) -> Result<Message, dbus::Error> {
        use dbus::blocking::BlockingSender;
        self.0.send_with_reply_and_block(message, BUS_LIMIT)
    }
}
