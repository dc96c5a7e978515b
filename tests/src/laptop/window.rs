//! The app's window, driven through WebKitWebDriver, which also starts the app.
//! A session begins when the first window appears: until somebody opens one, the call waits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Laptop;
use super::webdriver::{Door, WebDriver};
use crate::process::Process;
use crate::trouble::{Doing, Outcome, Trouble};

const PATIENCE: Duration = Duration::from_secs(30);
/// How often a driver was started in this run.
static STARTS: AtomicU16 = AtomicU16::new(0);

/// A window, and the driver that must live as long.
pub struct Window {
    driver: WebDriver,
    patience: Duration,
    process: Process,
    /// Its text is drawn larger than the driver knows.
    magnified: bool,
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
        self.start_app_with(&[], binary, patience, meanwhile).await
    }

    /// The same with more in its environment.
    ///
    /// # Errors
    /// When no window appears.
    pub async fn start_app_with<T>(
        &self,
        env: &[(&str, &str)],
        binary: &Path,
        patience: Duration,
        meanwhile: impl Future<Output = Outcome<T>>,
    ) -> Outcome<(Window, T)> {
        // The driver of an app that has ended may still hold its port.
        let start = STARTS.fetch_add(1, Ordering::Relaxed);
        let port = self
            .stage
            .port(4444 + start * 20 + super::seat(self.user))?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let process = self
            .program(
                &format!("window-driver-{}-{start}", self.user.name()),
                "WebKitWebDriver",
            )
            .arg(format!("--port={port}"))
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let process = env
            .iter()
            .fold(process, |process, (key, value)| process.env(key, value))
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
                process,
                magnified: env.iter().any(|(key, _)| *key == "GDK_DPI_SCALE"),
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
        // What has only just moved takes no click yet.
        let ready = format!("{}:not([aria-disabled='true'])", css(id));
        let element = self.driver.find(&ready, self.patience).await?;
        // In the middle, where neither header nor footer lies over it.
        let show = format!(
            "document.querySelector('{}').scrollIntoView({{ block: 'center' }})",
            css(id)
        );
        self.driver.run(&show).await?;
        if self.magnified {
            return self.press(id).await;
        }
        self.driver.click(&element).await
    }

    /// WebKit's driver counts a magnified page in small pixels and clicks beside it. The page knows whether a finger would reach the element.
    async fn press(&self, id: &str) -> Outcome<()> {
        let press = format!(
            "const element = document.querySelector('{}');
             const box = element.getBoundingClientRect();
             const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
             if (!hit || !element.contains(hit)) return `${{hit?.outerHTML}} is in front of it`;
             element.click();
             return '';",
            css(id)
        );
        let done = self.driver.run(&press).await?;
        match done.as_str() {
            Some("") => Ok(()),
            why => Err(Trouble::new(format!("{id} cannot be clicked: {why:?}"))),
        }
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

    /// # Errors
    /// When it does not go away.
    pub async fn lacks(&self, id: &str) -> Outcome<()> {
        let until = Instant::now() + self.patience;
        while self.has(id).await {
            if Instant::now() > until {
                return Err(Trouble::new(format!("{id} does not go away")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
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

    /// What is read there now.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn read(&self, id: &str) -> Outcome<String> {
        self.shows(id).await?;
        self.driver.text(&css(id)).await
    }

    /// The value of a script of the test's own, run in the page.
    ///
    /// # Errors
    /// When it breaks.
    pub async fn run(&self, script: &str) -> Outcome<Value> {
        self.driver.run(script).await
    }

    /// What the app and its driver said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr()
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
