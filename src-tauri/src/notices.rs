//! Notifications, shown by a task of their own: a desktop that hangs must not hold up the controller, nor quitting.
//! A newcomer would drop the handle after showing: some desktops then take the notification away, and its buttons do nothing.

use std::time::Duration;

use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use tidegate_app::desktop::DEFAULT_ACTION;
use tidegate_app::{Input, Notice};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::send;

/// More than a person reads; when full, the newest is dropped: the window says the same.
const WAITING: usize = 8;
/// Beyond that the oldest is no longer listened to.
const KEPT: usize = 8;
const SHOW_LIMIT: Duration = Duration::from_secs(3);

pub(crate) struct Notices {
    waiting: mpsc::Sender<Notice>,
    shower: tauri::async_runtime::JoinHandle<()>,
}

impl Notices {
    pub(crate) fn start(inputs: mpsc::Sender<Input>) -> Self {
        let (waiting, received) = mpsc::channel(WAITING);
        let shower = tauri::async_runtime::spawn(show_all(received, inputs));
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

async fn show_all(mut notices: mpsc::Receiver<Notice>, inputs: mpsc::Sender<Input>) {
    let mut kept = JoinSet::new();
    while let Some(notice) = notices.recv().await {
        while kept.try_join_next().is_some() {}
        if kept.len() >= KEPT {
            kept.abort_all();
        }
        let shown = tokio::time::timeout(SHOW_LIMIT, drawn(&notice).show_async()).await;
        match shown {
            Ok(Ok(handle)) => drop(kept.spawn(listen(handle, notice, inputs.clone()))),
            Ok(Err(error)) => tracing::info!(%error, "notification could not be shown"),
            Err(_) => tracing::info!("notification took too long"),
        }
    }
}

fn drawn(notice: &Notice) -> Notification {
    let mut drawn = Notification::new();
    drawn
        .appname("Tidegate")
        .summary(&notice.title)
        .body(&notice.markup());
    for (id, label) in notice.actions() {
        drawn.action(id, label);
    }
    drawn.finalize()
}

/// Until somebody clicks, or it is gone from the screen.
async fn listen(handle: NotificationHandle, notice: Notice, inputs: mpsc::Sender<Input>) {
    let clicked = handle.wait_for_action_async(|response| {
        let id = match response {
            NotificationResponse::Default => DEFAULT_ACTION,
            NotificationResponse::Action(id) => id,
            _ => return,
        };
        if let Some(intent) = notice.intent(id) {
            send(&inputs, Input::Do(intent));
        }
    });
    clicked.await;
}
