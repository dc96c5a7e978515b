//! Whether the desktop has a place for tray icons.
//! None is no trouble in itself: the window does everything, and many desktops simply have none.

use super::Check;

const NAME: &str = "tray";

#[cfg(target_os = "linux")]
pub(super) async fn check() -> Check {
    use tidegate_proto::problem::Code;

    let has = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !has("DISPLAY") && !has("WAYLAND_DISPLAY") {
        return Check::skipped(NAME, "There is no desktop in this session.");
    }
    match tokio::task::spawn_blocking(host).await {
        Ok(Ok(true)) => Check::ok(NAME, "The desktop shows tray icons."),
        Ok(Ok(false)) => Check::problem(NAME, &Code::NoTray.into()),
        Ok(Err(_)) | Err(_) => Check::warn(
            NAME,
            "The session bus does not answer, so tray, keyring and notifications have nobody to talk to.",
            "Start the session with a D-Bus session bus, for example `dbus-run-session`.",
        ),
    }
}

/// Whether somebody on the session bus shows tray icons.
#[cfg(target_os = "linux")]
fn host() -> Result<bool, dbus::Error> {
    let bus = dbus::blocking::Connection::new_session()?;
    let proxy = bus.with_proxy(
        "org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        std::time::Duration::from_secs(3),
    );
    let watcher = ("org.kde.StatusNotifierWatcher",);
    let (has_owner,): (bool,) =
        proxy.method_call("org.freedesktop.DBus", "NameHasOwner", watcher)?;
    Ok(has_owner)
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn check() -> Check {
    Check::ok(NAME, "This system always has one.")
}
