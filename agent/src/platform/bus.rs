//! What the desktop's bus says when somebody on it does not answer.
//! A newcomer would take every failure for "not there": a daemon that hangs is there, and its secrets are too.

use std::error::Error;

/// Whether this failure, or what caused it, is that nobody answered in time.
#[cfg(target_os = "linux")]
pub(crate) fn is_silence(error: &(dyn Error + 'static)) -> bool {
    const SILENCES: [&str; 3] = [
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Timeout",
        "org.freedesktop.DBus.Error.TimedOut",
    ];
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
        (*error).source()
    });
    causes
        .filter_map(|error| error.downcast_ref::<dbus::Error>()?.name())
        .any(|name| SILENCES.contains(&name))
}

/// Where there is no bus, calls wait or fail by themselves.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_silence(_: &(dyn Error + 'static)) -> bool {
    false
}
