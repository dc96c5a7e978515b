//! The system's ways to say that it is time to end: SIGTERM, Ctrl-C, and the end of a session or terminal.
//! A newcomer would leave SIGHUP out: some sessions end with it, and then programs would be cut off without a word.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::Input;
use crate::surroundings::tell;

/// Whatever hangs, the process is gone by then.
const QUIT_LIMIT: Duration = Duration::from_millis(4_700);

/// From the first wish to quit the process has under 5 s, whatever hangs.
pub fn quit_watch() {
    std::thread::spawn(|| {
        std::thread::sleep(QUIT_LIMIT);
        tracing::error!("quitting took too long");
        std::process::exit(1);
    });
}

/// Ends the app in order when the system asks; a second time is not needed.
pub async fn stop_when_told(inputs: mpsc::Sender<Input>) {
    match told_to_stop().await {
        Ok(()) => {
            tracing::info!("told to stop");
            quit_watch();
            tell(&inputs, Input::Stop).await;
        }
        Err(error) => tracing::warn!(%error, "signals could not be listened to"),
    }
}

/// Waits until the system asks.
#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Waits until the system asks.
#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
