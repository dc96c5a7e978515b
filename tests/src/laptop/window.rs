//! The app's window, driven through WebKitWebDriver, which also starts the app.
//! A session begins when the first window appears: until somebody opens one, the call waits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Laptop;
use super::webdriver::{Door, WebDriver};
use crate::process::Process;
use crate::trouble::{Doing, Outcome};

const PATIENCE: Duration = Duration::from_secs(30);

/// A window, and the driver that must live as long.
pub struct Window {
    driver: WebDriver,
    patience: Duration,
    _process: Process,
}

impl Laptop {
    /// Starts the app under a driver and waits for its first window; `meanwhile` may open it from the tray.
    /// `patience` is how long the window waits for what hands have to do.
    ///
    /// # Errors
    /// When no window appears.
    pub async fn start_app<T>(
        &self,
        binary: &Path,
        patience: Duration,
        meanwhile: impl Future<Output = Outcome<T>>,
    ) -> Outcome<(Window, T)> {
        let port = self.stage.port(4444)?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let process = self
            .program("window-driver", "WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .start(&self.stage)?;
        let door = Door {
            stage: self.stage.clone(),
            address,
        };
        door.ready(PATIENCE).await?;
        let app = json!({ "webkitgtk:browserOptions": { "binary": binary, "args": [] } });
        let (driver, opened) = tokio::join!(WebDriver::open(door, app), meanwhile);
        let opened = opened.doing("open the window")?;
        let driver = driver.doing("take hold of the window")?;
        Ok((
            Window {
                driver,
                patience,
                _process: process,
            },
            opened,
        ))
    }
}

impl Window {
    /// Clicks what carries this test id.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn click(&self, id: &str) -> Outcome<()> {
        let element = self.driver.find(&css(id), self.patience).await?;
        self.driver.click(&element).await
    }

    /// # Errors
    /// When it is not there.
    pub async fn write(&self, id: &str, text: &str) -> Outcome<()> {
        let element = self.driver.find(&css(id), self.patience).await?;
        self.driver.write(&element, text).await
    }

    /// # Errors
    /// When it does not appear.
    pub async fn shows(&self, id: &str) -> Outcome<()> {
        self.driver.find(&css(id), self.patience).await.map(drop)
    }

    /// Whether it is there right now.
    pub async fn has(&self, id: &str) -> bool {
        self.driver.find(&css(id), Duration::ZERO).await.is_ok()
    }

    /// # Errors
    /// When it does not say so in time.
    pub async fn says(&self, id: &str, words: &str) -> Outcome<String> {
        self.driver
            .wait_for_text(&css(id), words, self.patience)
            .await
    }

    /// Everything that can be read in the window.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn text(&self) -> Outcome<String> {
        self.driver.text("body").await
    }

    /// # Errors
    /// When no picture can be taken.
    pub async fn picture(&self, to: &Path) -> Outcome<()> {
        std::fs::write(to, self.driver.picture().await?)
            .doing(format!("keep the picture {}", to.display()))
    }
}

fn css(id: &str) -> String {
    format!("[data-testid=\"{id}\"]")
}
