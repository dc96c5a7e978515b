//! The real desktop. Everything that touches the screen is sent to the main thread and not waited for.
//! A newcomer would call Tauri's setters from the controller: they wait for the main thread, which may be waiting for us.

use tauri::{AppHandle, Manager};
use tidegate_app::clipboard::Clipboard;
use tidegate_app::stop::quit_watch;
use tidegate_app::{CopyFailed, Desktop, Icon, Input, Menu, Notice, View};
use tokio::sync::mpsc;

use crate::notices::Notices;
use crate::window::WindowState;
use crate::{tray, window};

pub(crate) struct TauriDesktop {
    app: AppHandle,
    clipboard: Clipboard,
    notices: Notices,
}

impl TauriDesktop {
    pub(crate) fn new(app: AppHandle, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            app,
            clipboard: Clipboard::default(),
            notices: Notices::start(inputs),
        }
    }

    fn on_main_thread(&self, work: impl FnOnce(&AppHandle) + Send + 'static) {
        let app = self.app.clone();
        if self.app.run_on_main_thread(move || work(&app)).is_err() {
            tracing::info!("main thread was gone already");
        }
    }
}

impl Desktop for TauriDesktop {
    fn set_menu(&mut self, menu: &Menu) {
        let menu = menu.clone();
        self.on_main_thread(move |app| tray::show_menu(app, &menu));
    }

    fn set_icon(&mut self, icon: Icon) {
        self.on_main_thread(move |app| tray::show_icon(app, icon));
    }

    fn show_view(&mut self, view: &View) {
        self.app.state::<WindowState>().show(view);
    }

    fn open_window(&mut self) {
        self.on_main_thread(window::open);
    }

    fn keep_window(&mut self, kept: bool) {
        self.app.state::<WindowState>().keep(kept);
    }

    fn notify(&mut self, notice: &Notice) {
        // Whoever looks at the window reads it there.
        if !self.app.state::<WindowState>().is_in_front() {
            self.notices.show(notice);
        }
    }

    fn copy(&mut self, text: &str) -> Result<(), CopyFailed> {
        self.clipboard.put(text)
    }

    fn open_url(&mut self, url: &str) {
        if let Err(error) = webbrowser::open(url) {
            tracing::warn!(%error, "browser could not be opened");
        }
    }

    fn ending(&mut self) {
        quit_watch();
        self.on_main_thread(window::close);
    }

    fn quit(&mut self) {
        self.clipboard.hand_over();
        self.app.exit(0);
    }
}
