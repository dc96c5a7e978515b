//! What the session bus tells the app: who shows the tray icon, and when the session ends. On a bus of its own, with a real daemon.
//! A newcomer would mock the bus: names that change hands and signals that reach one program only are the point here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidegate_app::Input;
use tidegate_app::session_end::end_with_the_session;
use tidegate_app::tray_host::watch_the_tray;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zbus::Connection;
use zbus::connection::Builder;

const TRAY_HOST: &str = "org.kde.StatusNotifierWatcher";
const MANAGER: &str = "org.gnome.SessionManager";
const CLIENT: &str = "/org/gnome/SessionManager/Client1";
const SOON: Duration = Duration::from_secs(10);

struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let mut said = BufReader::new(daemon.stdout.take().unwrap());
        said.read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        Self { daemon, address }
    }

    fn builder(&self) -> Builder<'_> {
        Builder::address(self.address.as_str()).unwrap()
    }

    async fn join(&self) -> Connection {
        self.builder().build().await.unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

async fn next(inputs: &mut mpsc::Receiver<Input>) -> Input {
    timeout(SOON, inputs.recv()).await.unwrap().unwrap()
}

/// The folder is where it is remembered what was said.
async fn watching(
    bus: &Bus,
    notes: &tempfile::TempDir,
) -> (mpsc::Receiver<Input>, JoinHandle<zbus::Result<()>>) {
    let (inputs, received) = mpsc::channel(8);
    let (ours, notes) = (bus.join().await, notes.path().to_owned());
    let watching = tokio::spawn(async move { watch_the_tray(&ours, &notes, &inputs).await });
    (received, watching)
}

#[tokio::test]
async fn a_panel_that_comes_late_crashes_and_is_restarted_is_followed() {
    let (bus, notes) = (Bus::start(), tempfile::tempdir().unwrap());
    let (mut told, watching) = watching(&bus, &notes).await;
    assert_eq!(next(&mut told).await, Input::NoTray { news: true });

    let panel = bus.join().await;
    panel.request_name(TRAY_HOST).await.unwrap();
    assert_eq!(next(&mut told).await, Input::TrayIsThere);
    drop(panel);
    assert_eq!(next(&mut told).await, Input::NoTray { news: false });
    let panel = bus.join().await;
    panel.request_name(TRAY_HOST).await.unwrap();
    assert_eq!(next(&mut told).await, Input::TrayIsThere);

    watching.abort();
}

#[tokio::test]
async fn a_panel_that_only_restarts_is_no_news() {
    let (bus, notes) = (Bus::start(), tempfile::tempdir().unwrap());
    let panel = bus.join().await;
    panel.request_name(TRAY_HOST).await.unwrap();
    let (mut told, watching) = watching(&bus, &notes).await;
    assert_eq!(next(&mut told).await, Input::TrayIsThere);

    panel.release_name(TRAY_HOST).await.unwrap();
    panel.request_name(TRAY_HOST).await.unwrap();
    let said = timeout(Duration::from_secs(4), told.recv()).await;

    assert!(said.is_err(), "{said:?}");
    watching.abort();
}

/// A watcher that takes icons, and says whether anybody draws them.
struct Watcher {
    has_host: bool,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    // Panels say it by signals, not as a changed property.
    #[zbus(property(emits_changed_signal = "false"))]
    fn is_status_notifier_host_registered(&self) -> bool {
        self.has_host
    }
}

const WATCHER: &str = "/StatusNotifierWatcher";

async fn watcher(bus: &Bus, has_host: bool) -> Connection {
    let watcher = bus.builder().name(TRAY_HOST).unwrap();
    let watcher = watcher.serve_at(WATCHER, Watcher { has_host }).unwrap();
    watcher.build().await.unwrap()
}

async fn host_is(watcher: &Connection, there: bool) {
    let served = watcher.object_server();
    let served = served.interface::<_, Watcher>(WATCHER).await.unwrap();
    served.get_mut().await.has_host = there;
    let said = match there {
        true => "StatusNotifierHostRegistered",
        false => "StatusNotifierHostUnregistered",
    };
    let nobody = None::<&str>;
    watcher
        .emit_signal(nobody, WATCHER, TRAY_HOST, said, &())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_watcher_without_a_host_is_no_tray_until_somebody_draws_icons() {
    let (bus, notes) = (Bus::start(), tempfile::tempdir().unwrap());
    let watcher = watcher(&bus, false).await;
    let (mut told, watching) = watching(&bus, &notes).await;
    assert_eq!(next(&mut told).await, Input::NoTray { news: true });

    host_is(&watcher, true).await;
    assert_eq!(next(&mut told).await, Input::TrayIsThere);
    host_is(&watcher, false).await;
    assert_eq!(next(&mut told).await, Input::NoTray { news: false });
    host_is(&watcher, true).await;
    assert_eq!(next(&mut told).await, Input::TrayIsThere);

    watching.abort();
}

#[tokio::test]
async fn a_host_that_only_restarts_is_no_news() {
    let (bus, notes) = (Bus::start(), tempfile::tempdir().unwrap());
    let watcher = watcher(&bus, true).await;
    let (mut told, watching) = watching(&bus, &notes).await;
    assert_eq!(next(&mut told).await, Input::TrayIsThere);

    host_is(&watcher, false).await;
    host_is(&watcher, true).await;
    let said = timeout(Duration::from_secs(4), told.recv()).await;

    assert!(said.is_err(), "{said:?}");
    watching.abort();
}

/// A session manager as GNOME's: it knows its clients by a path, and tells each by itself.
struct Manager(mpsc::Sender<String>);

#[zbus::interface(name = "org.gnome.SessionManager")]
impl Manager {
    async fn register_client(
        &self,
        app: String,
        _started_as: String,
    ) -> zbus::zvariant::ObjectPath<'static> {
        self.0.send(app).await.unwrap();
        CLIENT.try_into().unwrap()
    }
}

struct Client(mpsc::Sender<(bool, String)>);

#[zbus::interface(name = "org.gnome.SessionManager.ClientPrivate")]
impl Client {
    async fn end_session_response(&self, is_ok: bool, reason: String) {
        self.0.send((is_ok, reason)).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_out_is_never_held_up_and_ends_the_app() {
    let bus = Bus::start();
    let (answers, mut answered) = mpsc::channel(8);
    let (registered, mut registrations) = mpsc::channel(8);
    let manager = bus
        .builder()
        .name(MANAGER)
        .unwrap()
        .serve_at(CLIENT, Client(answers))
        .unwrap()
        .serve_at("/org/gnome/SessionManager", Manager(registered))
        .unwrap()
        .build()
        .await
        .unwrap();
    let ours = bus.join().await;
    let us = ours.unique_name().unwrap().clone();
    let (inputs, mut told) = mpsc::channel(8);
    let following = tokio::spawn(async move { end_with_the_session(&ours, &inputs).await });
    let app = timeout(SOON, registrations.recv()).await.unwrap().unwrap();
    let say = async |from: &Connection, path: &str, what: &str| {
        let interface = "org.gnome.SessionManager.ClientPrivate";
        let to = Some(us.as_str());
        from.emit_signal(to, path, interface, what, &0_u32)
            .await
            .unwrap();
    };

    say(&manager, CLIENT, "QueryEndSession").await;
    let answer = timeout(SOON, answered.recv()).await.unwrap().unwrap();
    say(&manager, CLIENT, "CancelEndSession").await;
    say(&manager, "/org/gnome/SessionManager/Client2", "EndSession").await;
    say(&bus.join().await, CLIENT, "EndSession").await;
    say(&manager, CLIENT, "QueryEndSession").await;
    timeout(SOON, answered.recv()).await.unwrap().unwrap();
    let before_the_end = told.try_recv();
    say(&manager, CLIENT, "EndSession").await;

    assert_eq!(app, "dev.tidegate.app");
    assert_eq!(answer, (true, String::new()));
    assert!(
        before_the_end.is_err(),
        "another client's end, or somebody else's word, is none"
    );
    assert_eq!(next(&mut told).await, Input::Stop);
    timeout(SOON, following).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_session_manager_the_signals_are_left() {
    let bus = Bus::start();
    let (ours, (inputs, mut told)) = (bus.join().await, mpsc::channel(8));

    timeout(SOON, end_with_the_session(&ours, &inputs))
        .await
        .unwrap();

    assert!(told.try_recv().is_err());
}
