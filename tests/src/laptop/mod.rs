//! Ana's laptop in the café: a desktop session with screen, bus, keyring, panel and browser, all her own.
//! Programs started on it join its PID namespace: they see each other, as on any laptop, and die with it.

mod arrival;
mod browser;
mod cost;
mod disk;
mod glass;
mod notebook;
mod screen;
mod tray;
mod visit;
mod webdriver;
mod window;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use browser::{Browser, Page};
pub use cost::Cost;
use glass::Glass;
pub use notebook::Findings;
pub use tray::{MenuItem, Tray};
pub use webdriver::{Element, WebDriver};
pub use window::Window;

use crate::ca::CertificateAuthority;
use crate::ground::Site;
use crate::narrator::Hands;
use crate::process::{Process, Program};
use crate::secret;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};
use crate::user::User;

const SESSION: &str = include_str!("session.sh");
const BROWSER: &str = include_str!("browser.sh");
const MINE: &str = include_str!("mine.sh");
const PANEL: &str = include_str!("panel.xml");
/// Asks the session bus whether somebody shows tray icons.
const WATCHER: &str = "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.kde.StatusNotifierWatcher";
/// Until the daemon is gone and the bus knows: whoever asks from then on gets another one.
const LOCK: &str = r#"
owner() { dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.freedesktop.secrets 2>&1; }
open=$(owner)
pid=$(dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets | awk '{ print $2 }')
[ -n "$pid" ] || pid=$("$MINE" 'gnome-keyring.*') || exit 1
kill $pid
for pid in $pid; do while grep -qs '^State:[[:space:]]*[^Z]' /proc/$pid/status; do sleep 0.05; done; done
case $open in *Error*) ;; *) while [ "$(owner)" = "$open" ]; do sleep 0.05; done ;; esac
"#;
const SCREEN: &str = "1280x860";
/// Ends a wait in vain: a session that comes up takes two seconds, or half a minute where ten compilers run beside it.
const LIMIT: Duration = Duration::from_secs(90);

pub struct Laptop {
    stage: Arc<Stage>,
    user: User,
    session: Process,
    // After the session, which draws on it.
    _glass: Option<Glass>,
    env: Vec<(OsString, OsString)>,
    browser_port: u16,
    /// Of the login, which also opens the keyring.
    password: String,
}

impl Laptop {
    /// Ana's. Switches it on and signs in to the desktop; the browser trusts the company's CA, as on a managed laptop.
    ///
    /// # Errors
    /// When the session does not come up.
    pub async fn switch_on(stage: &Arc<Stage>, ca: &CertificateAuthority) -> Outcome<Self> {
        Self::switch_on_for(stage, ca, User::Analyst, Hands::Driver).await
    }

    /// Anybody's in the café; with a person's hands its screen is a window on the person's display.
    ///
    /// # Errors
    /// When the session does not come up.
    pub async fn switch_on_for(
        stage: &Arc<Stage>,
        ca: &CertificateAuthority,
        user: User,
        hands: Hands,
    ) -> Outcome<Self> {
        let home = stage.run().home(user);
        let browser_port = stage.port(9777 + seat(user))?;
        let password = login_password(stage, user)?;
        prepare(stage, user, &home, &password)?;
        let glass = if hands == Hands::Person {
            Some(Glass::open(stage).await?)
        } else {
            None
        };
        let mut env = desktop_env(stage, &home, browser_port);
        if let Some(glass) = &glass {
            env.push(("DISPLAY".into(), glass.display.clone().into()));
            env.push(("BROWSER_SEEN".into(), "1".into()));
        }
        let session = Program::new(&format!("laptop-{}", user.name()), Site::Cafe, user, "sh")
            .args(["-c", SESSION, "session", SCREEN])
            .envs(&env);
        // A person's display is found by its socket in the machine's own /tmp.
        let session = if glass.is_none() {
            session.own_tmp()
        } else {
            session
        };
        let mut session = session.start(stage)?;
        session.says("the session is up", LIMIT).await?;
        let display =
            std::fs::read_to_string(home.join("run/display")).doing("read the display's number")?;
        env.push(("DISPLAY".into(), format!(":{}", display.trim()).into()));
        let laptop = Self {
            stage: Arc::clone(stage),
            user,
            session,
            _glass: glass,
            env,
            browser_port,
            password,
        };
        laptop.trust(ca, &home).await?;
        Ok(laptop)
    }

    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.stage.run().home(self.user)
    }

    /// A program on this laptop, not started yet.
    #[must_use]
    pub fn program(&self, name: &str, program: impl Into<OsString>) -> Program {
        Program::new(name, Site::Cafe, self.user, program)
            .envs(&self.env)
            .beside(&self.session)
    }

    /// Runs a command in her terminal and gives what it printed.
    ///
    /// # Errors
    /// When it fails or takes longer than half a minute.
    pub async fn terminal(
        &self,
        name: &str,
        program: impl Into<OsString>,
        words: &[&str],
    ) -> Outcome<String> {
        self.program(name, program)
            .args(words)
            .output(&self.stage, LIMIT)
            .await
    }

    /// `tidegate join`, with the link where no other program can read it. On a busy machine the keyring may answer late, which
    /// the command says; then it is typed again, as a person would: the link is still good.
    ///
    /// # Errors
    /// When the computer does not join.
    pub async fn join(&self, link: &str) -> Outcome<String> {
        let mut tries = 1..=3;
        loop {
            let join = self.program("join", self.stage.binary("tidegate")?);
            let joined = join.arg("join").stdin(link).output(&self.stage, LIMIT);
            let last = tries.next().is_none();
            match joined.await {
                Err(trouble) if !last && trouble.to_string().contains("TG-4017") => {}
                joined => return joined,
            }
        }
    }

    /// Ends the keyring of the session. The bus starts another one on demand, which nobody has unlocked.
    ///
    /// # Errors
    /// When there was none.
    pub async fn lock_the_keyring(&self) -> Outcome<()> {
        self.terminal("keyring-lock", "sh", &["-c", LOCK])
            .await
            .map(drop)
    }

    /// As the person does in the dialog of the keyring, with the password of the login.
    ///
    /// # Errors
    /// When no keyring takes it.
    pub async fn unlock_the_keyring(&self) -> Outcome<()> {
        let file = self.home().join(".login");
        self.stage
            .run()
            .private_file(self.user, &file, &self.password)?;
        let line = "gnome-keyring-daemon --replace --daemonize --unlock --components=secrets <\"$HOME/.login\" >/dev/null; rm \"$HOME/.login\"";
        self.terminal("keyring-unlock", "sh", &["-c", line])
            .await
            .map(drop)
    }

    /// Ends the panel, and with it the place for tray icons.
    ///
    /// # Errors
    /// When there was none.
    pub async fn stop_the_panel(&self) -> Outcome<()> {
        let line = format!(
            "kill $(\"$MINE\" xfce4-panel); until {WATCHER} | grep -q false; do sleep 0.1; done"
        );
        self.terminal("panel-stop", "sh", &["-c", &line])
            .await
            .map(drop)
    }

    /// # Errors
    /// When it does not come up.
    pub async fn start_the_panel(&self) -> Outcome<()> {
        let line = format!(
            "xfce4-panel --disable-wm-check >/dev/null 2>&1 & until {WATCHER} | grep -q true; do sleep 0.1; done"
        );
        self.terminal("panel-start", "sh", &["-c", &line])
            .await
            .map(drop)
    }

    /// What a paste would give.
    ///
    /// # Errors
    /// When there is nothing on the clipboard.
    pub async fn clipboard(&self) -> Outcome<String> {
        self.terminal("clipboard", "xclip", &["-selection", "clipboard", "-o"])
            .await
    }

    /// So that a person can paste it.
    ///
    /// # Errors
    /// When there is no clipboard.
    pub async fn put_on_clipboard(&self, text: &str) -> Outcome<()> {
        let file = self.home().join("run/clipboard");
        self.stage.run().private_file(self.user, &file, text)?;
        self.terminal(
            "copy",
            "xclip",
            &["-selection", "clipboard", "-i", &file.to_string_lossy()],
        )
        .await?;
        std::fs::remove_file(file)?;
        Ok(())
    }

    #[must_use]
    pub fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    async fn trust(&self, ca: &CertificateAuthority, home: &Path) -> Outcome<()> {
        let (store, file) = (
            format!("sql:{}", home.join(".pki/nssdb").display()),
            home.join("acme-ca.pem"),
        );
        // The store of an earlier session would not be made anew, but ask for its password.
        let _ = std::fs::remove_dir_all(home.join(".pki"));
        self.stage
            .run()
            .private_folder(self.user, &home.join(".pki"))?;
        self.stage
            .run()
            .private_folder(self.user, &home.join(".pki/nssdb"))?;
        self.stage.run().private_file(self.user, &file, ca.pem())?;
        // One that an earlier session made is asked for its password, again and again.
        if !home.join(".pki/nssdb/cert9.db").exists() {
            self.terminal(
                "certificates-new",
                "certutil",
                &["-d", &store, "-N", "--empty-password"],
            )
            .await?;
        }
        let add = [
            "-d",
            &store,
            "-A",
            "-t",
            "C,,",
            "-n",
            "acme",
            "-i",
            &file.to_string_lossy(),
        ];
        self.terminal("certificates-add", "certutil", &add).await?;
        std::fs::remove_file(file)?;
        Ok(())
    }
}

/// All laptops of the café share its loopback: each has ports of its own for its driver.
fn seat(user: User) -> u16 {
    u16::try_from(user.offset()).unwrap_or_default()
}

/// The same at each session of a run: it also opens the keyring that the first one made.
fn login_password(stage: &Stage, user: User) -> Outcome<String> {
    let file = stage.run().at(&format!("login-{}", user.name()));
    if !file.exists() {
        std::fs::write(&file, "")?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        std::fs::write(&file, secret::text())?;
    }
    std::fs::read_to_string(&file).doing("read the password of the login")
}

fn prepare(stage: &Stage, user: User, home: &Path, password: &str) -> Outcome<()> {
    let run = stage.run();
    run.private_file(user, &home.join(".login"), password)?;
    for (name, text) in [("browser", BROWSER), ("mine", MINE)] {
        let script = run.at("bin").join(name);
        std::fs::write(&script, text)?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    }
    let panel = home.join(".config/xfce4/xfconf/xfce-perchannel-xml");
    std::fs::create_dir_all(&panel)?;
    std::fs::write(panel.join("xfce4-panel.xml"), PANEL)?;
    run.give_tree(user, &home.join(".config"))
}

fn desktop_env(stage: &Stage, home: &Path, browser_port: u16) -> Vec<(OsString, OsString)> {
    let bus = format!("unix:path={}", home.join("run/bus").display());
    let pairs: [(&str, OsString); 10] = [
        ("DBUS_SESSION_BUS_ADDRESS", bus.into()),
        ("XDG_SESSION_TYPE", "x11".into()),
        ("XDG_CONFIG_HOME", home.join(".config").into()),
        ("GDK_BACKEND", "x11".into()),
        ("GSETTINGS_BACKEND", "memory".into()),
        ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
        ("NO_AT_BRIDGE", "1".into()),
        ("MINE", stage.run().at("bin/mine").into()),
        ("BROWSER", stage.run().at("bin/browser").into()),
        ("BROWSER_DRIVER_PORT", browser_port.to_string().into()),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}
