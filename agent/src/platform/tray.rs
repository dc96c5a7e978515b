//! Whether somebody on this desktop shows tray icons.
//! Only Linux has desktops without; there the session bus knows, and a bus that does not answer is a finding of its own.

/// What the desktop says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // each system says some of these
pub(crate) enum Tray {
    Shown,
    /// The system always has one.
    Always,
    NobodyShows,
    NoDesktop,
    NoBus,
}

#[cfg(target_os = "linux")]
pub(crate) async fn look() -> Tray {
    let has = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !has("DISPLAY") && !has("WAYLAND_DISPLAY") {
        return Tray::NoDesktop;
    }
    match tokio::task::spawn_blocking(host).await {
        Ok(Ok(true)) => Tray::Shown,
        Ok(Ok(false)) => Tray::NobodyShows,
        Ok(Err(_)) | Err(_) => Tray::NoBus,
    }
}

#[cfg(target_os = "linux")]
fn host() -> Result<bool, dbus::Error> {
    is_shown_on(&dbus::blocking::Connection::new_session()?)
}

/// Whether somebody on this bus shows tray icons: a watcher takes them, and a host has told it that it draws them.
#[cfg(target_os = "linux")]
fn is_shown_on(bus: &dbus::blocking::Connection) -> Result<bool, dbus::Error> {
    use dbus::blocking::stdintf::org_freedesktop_dbus::Properties as _;
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    const LIMIT: std::time::Duration = std::time::Duration::from_secs(3);
    const NOBODY: &str = "org.freedesktop.DBus.Error.NameHasNoOwner";
    let proxy = bus.with_proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", LIMIT);
    let asked = proxy.method_call("org.freedesktop.DBus", "GetNameOwner", (WATCHER,));
    let owner: String = match asked {
        Ok((owner,)) => owner,
        Err(error) if error.name() == Some(NOBODY) => return Ok(false),
        Err(error) => return Err(error),
    };
    let watcher = bus.with_proxy(owner, "/StatusNotifierWatcher", LIMIT);
    // One that does not know the question is older than it, and shows icons all the same.
    Ok(watcher
        .get(WATCHER, "IsStatusNotifierHostRegistered")
        .unwrap_or(true))
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unused_async)] // as where it has to be asked
pub(crate) async fn look() -> Tray {
    Tray::Always
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use dbus::blocking::Connection;
    use dbus::channel::{Channel, MatchingReceiver};
    use dbus::message::MatchRule;

    use super::is_shown_on;

    struct Bus(Child, String);

    impl Bus {
        fn start() -> Self {
            let mut daemon = Command::new("dbus-daemon");
            daemon.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
            let mut daemon = daemon.stdout(Stdio::piped()).spawn().unwrap();
            let mut address = String::new();
            let mut said = BufReader::new(daemon.stdout.take().unwrap());
            said.read_line(&mut address).unwrap();
            Self(daemon, address.trim().to_owned())
        }

        fn join(&self) -> Connection {
            let mut channel = Channel::open_private(&self.1).unwrap();
            channel.register().unwrap();
            channel.into()
        }

        /// What is seen while a watcher answers so to whoever asks for its host; `None`: it does not know the question.
        fn shown_with(&self, has_host: Option<bool>) -> bool {
            let watcher = self.join();
            let name = "org.kde.StatusNotifierWatcher";
            watcher.request_name(name, false, true, false).unwrap();
            let answer = move |asked: dbus::Message, bus: &Connection| {
                let said = match has_host {
                    Some(has_host) => asked.method_return().append1(dbus::arg::Variant(has_host)),
                    None => dbus::channel::default_reply(&asked).unwrap(),
                };
                dbus::channel::Sender::send(bus, said).unwrap();
                true
            };
            watcher.start_receive(MatchRule::new_method_call(), Box::new(answer));
            let ours = self.join();
            let asking = std::thread::spawn(move || is_shown_on(&ours).unwrap());
            while !asking.is_finished() {
                watcher.process(Duration::from_millis(20)).unwrap();
            }
            asking.join().unwrap()
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_watcher_without_a_host_shows_nobody_any_icon() {
        let bus = Bus::start();

        assert!(!is_shown_on(&bus.join()).unwrap(), "nobody is there");
        assert!(!bus.shown_with(Some(false)));
        assert!(bus.shown_with(Some(true)));
        assert!(bus.shown_with(None), "one that is older than the question");
        assert!(!is_shown_on(&bus.join()).unwrap(), "it went");
    }
}
