//! Notifications, shown by a task of their own: a desktop that hangs must not hold up the controller, nor quitting.
//! A newcomer would drop the handle after showing: some desktops then take the notification away.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_app::Notice;
use tokio::sync::mpsc;

/// More than a person reads; when full, the newest is dropped: the window says the same.
const WAITING: usize = 8;
const KEPT: usize = 8;
const SHOW_LIMIT: Duration = Duration::from_secs(3);

pub(crate) struct Notices {
    waiting: mpsc::Sender<Notice>,
    shower: tauri::async_runtime::JoinHandle<()>,
}

impl Notices {
    pub(crate) fn start() -> Self {
        let (waiting, received) = mpsc::channel(WAITING);
        let shower = tauri::async_runtime::spawn(show_all(received));
        Self { waiting, shower }
    }

    pub(crate) fn show(&self, notice: &Notice) {
        if self.waiting.try_send(notice.clone()).is_err() {
            tracing::warn!("a notification was dropped because others are waiting");
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.shower.abort();
    }
}

async fn show_all(mut notices: mpsc::Receiver<Notice>) {
    let mut kept = VecDeque::with_capacity(KEPT);
    while let Some(notice) = notices.recv().await {
        let notification = notify_rust::Notification::new()
            .appname("Tidegate")
            .summary(&notice.title)
            .body(&notice.markup())
            .finalize();
        match tokio::time::timeout(SHOW_LIMIT, notification.show_async()).await {
            Ok(Ok(handle)) => {
                kept.truncate(KEPT - 1);
                kept.push_front(handle);
            }
            Ok(Err(error)) => tracing::info!(%error, "notification could not be shown"),
            Err(_) => tracing::info!("notification took too long"),
        }
    }
}
