//! Whether the desktop has a place for tray icons.
//! None is no trouble in itself: the window does everything, and many desktops simply have none.

use tidegate_proto::problem::Code;

use super::Check;
use crate::platform::tray::{Tray, look};

const NAME: &str = "tray";

pub(super) async fn check() -> Check {
    match look().await {
        Tray::Shown => Check::ok(NAME, "The desktop shows tray icons."),
        Tray::Always => Check::ok(NAME, "This system always has one."),
        Tray::NobodyShows => Check::problem(NAME, &Code::NoTray.into()),
        Tray::NoDesktop => Check::skipped(NAME, "There is no desktop in this session."),
        Tray::NoBus => Check::fail(
            "session bus",
            "It does not answer, so tray, keyring and notifications have nobody to talk to.",
            "Start the session with a D-Bus session bus, for example `dbus-run-session`.",
        ),
    }
}
