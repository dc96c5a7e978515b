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
#[allow(clippy::unused_async)] // as where it has to be asked
pub(crate) async fn look() -> Tray {
    Tray::Always
}
