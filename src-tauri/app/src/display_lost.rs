//! An X server that goes away while doors are open: the agent gets its time to tell every program, then the process ends.
//! A newcomer would clean up at exit: GTK ends the process from within Xlib by `_exit`, where no hook and no `Drop` runs.

#[cfg(target_os = "linux")]
pub use linux::{everything_has_ended, stop_when_lost};

#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // Xlib's handler for a lost connection can only be set from C's side of the world.
mod linux {
    use std::ffi::c_int;
    use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use tokio::sync::mpsc;
    use x11_dl::xlib::{Display, Xlib};

    use crate::Input;
    use crate::stop::quit_watch;

    /// As long as quitting may take.
    const LAST_WORDS: Duration = Duration::from_millis(4_700);

    static INPUTS: OnceLock<mpsc::Sender<Input>> = OnceLock::new();
    static ENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    /// From now on a lost X server means Quit. Call it after GTK has begun, whose own handler it replaces.
    ///
    /// On Wayland there is no such handler: there the session manager's word and SIGTERM come before the compositor goes, or not at all.
    pub fn stop_when_lost(inputs: mpsc::Sender<Input>) {
        if INPUTS.set(inputs).is_err() {
            return;
        }
        match Xlib::open() {
            // SAFETY: the pointer was resolved by name from libX11, and `lost` has the type that it asks for.
            Ok(xlib) => drop(unsafe { (xlib.XSetIOErrorHandler)(Some(lost)) }),
            Err(error) => {
                tracing::info!(%error, "no X library was found to watch the display with")
            }
        }
    }

    /// Whoever waits for the last words need not wait longer.
    pub fn everything_has_ended() {
        *ENDED.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ENDED.1.notify_all();
    }

    /// Runs on the thread that noticed, usually the main one, and never returns: Xlib could not go on.
    unsafe extern "C" fn lost(_display: *mut Display) -> c_int {
        tracing::warn!("display was lost");
        quit_watch();
        if let Some(inputs) = INPUTS.get() {
            // A full queue or a controller that is gone: then the time limit ends us.
            let _ = inputs.try_send(Input::Stop);
        }
        let ended = ENDED.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = ENDED
            .1
            .wait_timeout_while(ended, LAST_WORDS, |ended| !*ended);
        drop(waited);
        // SAFETY: takes a number and does not return. `exit` would run hooks of libraries that believe in the display.
        unsafe { libc::_exit(1) }
    }
}

/// Other systems do not take the screen from a running program.
#[cfg(not(target_os = "linux"))]
pub fn stop_when_lost(_inputs: tokio::sync::mpsc::Sender<crate::Input>) {}

/// See `stop_when_lost`.
#[cfg(not(target_os = "linux"))]
pub fn everything_has_ended() {}
