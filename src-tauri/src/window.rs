//! The window: made when somebody wants to see it, destroyed when it is closed, so that the tray alone costs no web view.
//! A newcomer would hide it instead: a hidden web view keeps some hundred megabytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tidegate_app::View;

use crate::note;

const LABEL: &str = "main";

/// What is known about the window outside of the main thread.
#[derive(Default)]
pub(crate) struct WindowState {
    /// Where it listens for views, while there is one.
    listener: Mutex<Option<Channel<View>>>,
    in_front: AtomicBool,
    /// It is the only way to reach the app, for now.
    kept: AtomicBool,
}

impl WindowState {
    pub(crate) fn listen(&self, channel: Option<Channel<View>>) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = channel;
    }

    pub(crate) fn show(&self, view: &View) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = listener.clone()
            && channel.send(view.clone()).is_err()
        {
            tracing::info!("window was gone before it could be drawn");
        }
    }

    pub(crate) fn keep(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// Whether the person is looking at it, as far as the desktop knows.
    pub(crate) fn is_in_front(&self) -> bool {
        self.in_front.load(Ordering::Relaxed)
    }

    fn set_in_front(&self, in_front: bool) {
        self.in_front.store(in_front, Ordering::Relaxed);
    }
}

/// Runs on the main thread.
pub(crate) fn open(app: &AppHandle) {
    let shown = match app.get_webview_window(LABEL) {
        Some(window) => window
            .unminimize()
            .and_then(|()| window.show())
            .and_then(|()| window.set_focus()),
        None => make(app),
    };
    note(shown, "open the window");
}

/// Runs on the main thread.
pub(crate) fn close(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        note(window.destroy(), "close the window");
    }
}

fn make(app: &AppHandle) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Tidegate")
        .inner_size(640.0, 740.0)
        .min_inner_size(360.0, 420.0)
        .center()
        .devtools(cfg!(debug_assertions))
        .disable_drag_drop_handler()
        // Nothing but our own page is ever shown in here.
        .on_navigation(|url| {
            url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost") || cfg!(dev)
        })
        .build()?;
    let app = app.clone();
    window.on_window_event(move |event| {
        let state = app.state::<WindowState>();
        match event {
            WindowEvent::Focused(in_front) => state.set_in_front(*in_front),
            WindowEvent::Destroyed => {
                state.listen(None);
                state.set_in_front(false);
            }
            WindowEvent::CloseRequested { api, .. } if state.kept.load(Ordering::Relaxed) => {
                api.prevent_close();
                if let Some(window) = app.get_webview_window(LABEL) {
                    note(window.minimize(), "minimize the window");
                }
            }
            _ => {}
        }
    });
    Ok(())
}
