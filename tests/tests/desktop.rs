//! The app as a desktop meets it: panels that crash, a second start, links from outside, sessions that end, screens that vanish.
//! Nothing is joined here; what happens with an org is played by the scene.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_tests::process::{Process, Signal};
use tidegate_tests::{CertificateAuthority, Laptop, Outcome, Stage};

/// The app promises to be gone by then, whatever hangs.
const GONE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(20);
const LINK: &str = "tidegate://join?hub=hub.acme.example:443&org=acme\
    &root=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI&ticket=canary.canary.canary\
    &key=NGFkNzM0MzQ5ODc0MzI0OTg3MzI0OTg3MzI0OTg3MzI";

async fn laptop() -> Outcome<(Arc<Stage>, Laptop)> {
    let stage = Stage::set()?;
    let ca = CertificateAuthority::new("Acme test CA")?;
    let laptop = Laptop::switch_on(&stage, &ca).await?;
    Ok((stage, laptop))
}

fn start(laptop: &Laptop, words: &[&str]) -> Outcome<Process> {
    let binary = laptop.stage().binary("tidegate-desktop")?;
    laptop
        .program("app", binary)
        .args(words)
        .start(laptop.stage())
}

fn pictures(stage: &Stage) -> PathBuf {
    let folder = stage.checkout().join("tests/out");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn until_windows(laptop: &Laptop, wanted: usize) -> Outcome<()> {
    let until = Instant::now() + LIMIT;
    while laptop.windows().await? != wanted {
        assert!(Instant::now() < until, "there are never {wanted} windows");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn the_icon_comes_back_with_the_panel_and_meanwhile_there_is_the_window() {
    let (stage, laptop) = laptop().await.unwrap();
    let pictures = pictures(&stage);
    let mut app = start(&laptop, &["--hidden"]).unwrap();
    let tray = laptop.tray().await.unwrap();
    tray.find("Not joined yet", LIMIT).await.unwrap();
    let before = tray.read().await.unwrap();
    assert_eq!(laptop.windows().await.unwrap(), 0, "it was started hidden");

    let kill = "kill -9 $(\"$MINE\" xfce4-panel) $(\"$MINE\" wrapper-2.0)";
    laptop
        .terminal("panel-crash", "sh", &["-c", kill])
        .await
        .unwrap();
    app.says("no tray was found", LIMIT).await.unwrap();
    until_windows(&laptop, 1).await.unwrap();
    let panel = laptop
        .program("panel-again", "xfce4-panel")
        .arg("--disable-wm-check")
        .start(&stage)
        .unwrap();
    app.says("tray came back", LIMIT).await.unwrap();

    let tray = laptop.tray().await.unwrap();
    assert_eq!(tray.read().await.unwrap(), before);
    laptop
        .picture(&pictures.join("desktop-panel-again.png"))
        .await
        .unwrap();
    laptop
        .terminal("close", "wmctrl", &["-c", "Tidegate"])
        .await
        .unwrap();
    until_windows(&laptop, 0).await.unwrap();
    tray.click("Quit Tidegate").await.unwrap();
    assert!(app.ended(GONE).await.unwrap().success());
    drop((app, panel, laptop));
    stage.close().unwrap();
}

/// A panel that only remembers how often an icon was announced.
struct Panel(Arc<Mutex<Vec<String>>>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Panel {
    fn register_status_notifier_item(
        &self,
        path: &str,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) {
        let who = header.sender().map(ToString::to_string).unwrap_or_default();
        self.0.lock().unwrap().push(format!("{who}{path}"));
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.lock().unwrap().last().cloned().into_iter().collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// Panels read the menu anew for an icon that is announced again, and Xfce's dies when it was still reading.
#[tokio::test]
async fn the_icon_is_announced_once_however_often_its_menu_changes() {
    let (stage, laptop) = laptop().await.unwrap();
    laptop.stop_the_panel().await.unwrap();
    let announced = Arc::new(Mutex::new(Vec::new()));
    let panel = laptop.bus_builder().unwrap();
    let panel = panel
        .name("org.kde.StatusNotifierWatcher")
        .unwrap()
        .serve_at("/StatusNotifierWatcher", Panel(Arc::clone(&announced)))
        .unwrap()
        .build()
        .await
        .unwrap();
    let app = start(&laptop, &["--hidden"]).unwrap();
    let tray = laptop.tray().await.unwrap();
    tray.find("Not joined yet", LIMIT).await.unwrap();
    let before = tray.read().await.unwrap();

    for _ in 0..3 {
        // Nobody answers there: the menu says that it joins, and then that it could not.
        laptop.join(LINK).await.unwrap_err();
    }
    tray.find("Not joined yet", LIMIT).await.unwrap();

    assert_ne!(tray.read().await.unwrap(), before, "it did change");
    assert_eq!(announced.lock().unwrap().len(), 1);
    assert!(app.stop(GONE).await.unwrap().success());
    drop((panel, laptop));
    stage.close().unwrap();
}

#[tokio::test]
async fn a_second_start_shows_the_first_one_and_a_link_waits_for_a_click() {
    let (stage, laptop) = laptop().await.unwrap();
    let pictures = pictures(&stage);
    let mut app = start(&laptop, &["--hidden"]).unwrap();
    laptop.tray().await.unwrap();

    let mut second = start(&laptop, &[]).unwrap();
    assert!(second.ended(GONE).await.unwrap().success());
    until_windows(&laptop, 1).await.unwrap();
    let mut third = start(&laptop, &[LINK]).unwrap();
    assert!(third.ended(GONE).await.unwrap().success());
    tokio::time::sleep(Duration::from_secs(8)).await;
    laptop
        .picture(&pictures.join("desktop-link.png"))
        .await
        .unwrap();

    let logs = app.stderr();
    assert!(!logs.contains("canary"), "{logs}");
    assert!(
        !logs.contains("hub.acme.example"),
        "nothing was contacted: {logs}"
    );
    app.signal(Signal::HUP).unwrap();
    assert!(app.ended(GONE).await.unwrap().success());
    drop((app, second, third, laptop));
    stage.close().unwrap();
}

#[tokio::test]
async fn a_link_that_starts_the_app_is_not_left_in_its_command_line() {
    let (stage, laptop) = laptop().await.unwrap();
    let app = start(&laptop, &[LINK]).unwrap();
    until_windows(&laptop, 1).await.unwrap();
    laptop.tray().await.unwrap();

    let line = std::fs::read(format!(
        "/proc/{}/cmdline",
        app.program().unwrap().as_raw_nonzero()
    ));
    let line = String::from_utf8(line.unwrap()).unwrap();
    let tray = laptop.tray().await.unwrap();
    tray.find("Join acme waits for you…", LIMIT).await.unwrap();

    assert!(line.contains("--link-on-stdin"), "{line}");
    assert!(!line.contains("canary"), "{line}");
    assert!(app.stop(GONE).await.unwrap().success());
    drop(laptop);
    stage.close().unwrap();
}

#[tokio::test]
async fn a_pipe_that_nobody_closes_does_not_keep_the_window_away() {
    let (stage, laptop) = laptop().await.unwrap();
    let binary = stage.binary("tidegate-desktop").unwrap();
    let line = format!("sleep 300 | {} --link-on-stdin", binary.display());

    let app = laptop.program("app", "sh").args(["-c", &line]);
    let app = app.start(&stage).unwrap();
    until_windows(&laptop, 1).await.unwrap();

    let tray = laptop.tray().await.unwrap();
    tray.find("Not joined yet", LIMIT).await.unwrap();
    tray.click("Quit Tidegate").await.unwrap();
    until_windows(&laptop, 0).await.unwrap();
    drop((app, laptop));
    stage.close().unwrap();
}

#[tokio::test]
async fn it_ends_with_the_session_and_starts_again_after_a_crash() {
    let (stage, laptop) = laptop().await.unwrap();

    let mut app = start(&laptop, &["--hidden"]).unwrap();
    laptop.tray().await.unwrap();
    app.kill();
    drop(app);
    let app = start(&laptop, &["--hidden"]).unwrap();
    let tray = laptop.tray().await.unwrap();
    tray.find("Not joined yet", LIMIT).await.unwrap();
    assert!(app.stop(GONE).await.unwrap().success());

    let bus = "unix:path=/nowhere/bus";
    let binary = stage.binary("tidegate-desktop").unwrap();
    let mut app = laptop
        .program("app", binary)
        .arg("--hidden")
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .start(&stage)
        .unwrap();
    app.says("no session bus was found", LIMIT).await.unwrap();
    until_windows(&laptop, 1).await.unwrap();
    assert!(app.stop(GONE).await.unwrap().success());
    drop(laptop);
    stage.close().unwrap();
}

#[tokio::test]
async fn a_click_on_a_notification_opens_the_window() {
    let (stage, laptop) = laptop().await.unwrap();
    let app = start(&laptop, &["--hidden"]).unwrap();
    let tray = laptop.tray().await.unwrap();
    tray.find("Not joined yet", LIMIT).await.unwrap();

    // Nobody answers there, and that is news.
    let joined = laptop.join(LINK).await;
    let shown =
        "until dunstctl count displayed | grep -qx '[1-9]'; do sleep 0.1; done; dunstctl action 0";
    laptop
        .terminal("click", "timeout", &["10", "sh", "-c", shown])
        .await
        .unwrap();

    assert!(joined.is_err());
    until_windows(&laptop, 1).await.unwrap();
    assert!(app.stop(GONE).await.unwrap().success());
    drop(laptop);
    stage.close().unwrap();
}

#[tokio::test]
async fn when_the_screen_is_gone_so_is_the_app() {
    let (stage, laptop) = laptop().await.unwrap();
    let mut app = start(&laptop, &[]).unwrap();
    laptop.tray().await.unwrap();
    until_windows(&laptop, 1).await.unwrap();

    let unplug = "kill -9 $(\"$MINE\" Xvfb)";
    laptop
        .terminal("unplug", "sh", &["-c", unplug])
        .await
        .unwrap();

    app.ended(GONE).await.unwrap();
    drop((app, laptop));
    stage.close().unwrap();
}

#[tokio::test]
async fn it_costs_little_to_have_it_running() {
    const IDLE: Duration = Duration::from_secs(60);
    let (stage, laptop) = laptop().await.unwrap();
    let started = Instant::now();
    let app = start(&laptop, &["--hidden"]).unwrap();
    let tray = laptop.tray().await.unwrap();
    let to_tray = started.elapsed();
    tray.find("Not joined yet", LIMIT).await.unwrap();
    // What a start leaves to do is over.
    tokio::time::sleep(Duration::from_secs(5)).await;

    let in_tray = laptop.cost().await.unwrap();
    tokio::time::sleep(IDLE).await;
    let after = laptop.cost().await.unwrap().time;
    let opened = Instant::now();
    tray.click("Open Tidegate").await.unwrap();
    until_windows(&laptop, 1).await.unwrap();
    let to_window = opened.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let with_window = laptop.cost().await.unwrap().memory;
    laptop
        .terminal("close", "wmctrl", &["-c", "Tidegate"])
        .await
        .unwrap();
    until_windows(&laptop, 0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let closed = laptop.cost().await.unwrap().memory;

    println!(
        "start to tray {} ms, click to window {} ms; PSS {} MiB in the tray, {} with window, {} after closing it; {} ms CPU in {} s idle",
        to_tray.as_millis(),
        to_window.as_millis(),
        in_tray.memory / 1024,
        with_window / 1024,
        closed / 1024,
        (after - in_tray.time) * 10,
        IDLE.as_secs()
    );
    assert!(after - in_tray.time <= 10, "busy while nothing happens");
    assert!(in_tray.memory < 150 * 1024 && closed < with_window);
    assert!(app.stop(GONE).await.unwrap().success());
    drop(laptop);
    stage.close().unwrap();
}
