//! Ana's browser: headless Chromium that the product itself opens through `$BROWSER`, and a driver that fills in what it shows.
//! The driver attaches afterwards to whatever page the product opened: it never decides where the browser goes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Laptop;
use super::webdriver::{Door, WebDriver};
use crate::narrator::Narrator;
use crate::process::Process;
use crate::provider::Person;
use crate::trouble::{Outcome, Trouble};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Browser {
    driver: WebDriver,
    _process: Process,
}

/// What the tab shows when the sign-in is over.
pub struct Page {
    pub url: String,
    pub text: String,
    pub picture: Vec<u8>,
}

impl Laptop {
    /// Waits for the browser that the product opened, and takes hold of it.
    ///
    /// # Errors
    /// When no browser opens.
    pub async fn browser(&self) -> Outcome<Browser> {
        self.browser_opened().await?;
        let port = self.stage.port(9515 + super::seat(self.user))?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let process = self
            .program("chromedriver", "chromedriver")
            .arg(format!("--port={port}"))
            .start(&self.stage)?;
        let door = Door {
            stage: self.stage.clone(),
            address,
        };
        door.ready(PATIENCE).await?;
        let target = format!("127.0.0.1:{}", self.browser_port);
        let driver = WebDriver::open(
            door,
            json!({ "goog:chromeOptions": { "debuggerAddress": target } }),
        )
        .await?;
        Ok(Browser {
            driver,
            _process: process,
        })
    }

    async fn browser_opened(&self) -> Outcome<()> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.browser_port);
        let until = Instant::now() + PATIENCE;
        while self
            .stage
            .ground()
            .connect(crate::Site::Cafe, address, Duration::from_secs(1))
            .is_err()
        {
            if Instant::now() > until {
                let log = std::fs::read_to_string(self.home().join("run/browser.log"))
                    .unwrap_or_default();
                return Err(Trouble::new(format!("no browser was opened\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

impl Browser {
    /// Signs in on the provider's page, in whichever tab it is, and reads what the tab says in the end.
    ///
    /// # Errors
    /// When there is no such page or it refuses.
    pub async fn sign_in(&self, person: &Person, narrator: Option<&Narrator>) -> Outcome<Page> {
        self.find_tab("#username").await?;
        let username = self.driver.find("#username", PATIENCE).await?;
        self.driver.write(&username, person.login).await?;
        let password = self.driver.find("#password", PATIENCE).await?;
        self.driver.write(&password, &person.password).await?;
        if let Some(narrator) = narrator {
            std::fs::write(
                narrator.picture("browser-1-sign-in"),
                self.driver.picture().await?,
            )?;
        }
        let button = self.driver.find("#sign-in", PATIENCE).await?;
        self.driver.click(&button).await?;
        self.back_home().await?;
        let page = self.page().await?;
        if let Some(narrator) = narrator {
            std::fs::write(narrator.picture("browser-2-signed-in"), &page.picture)?;
        }
        Ok(page)
    }

    /// What the current tab shows.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn page(&self) -> Outcome<Page> {
        let text = self.driver.text("body").await?;
        Ok(Page {
            url: self.driver.url().await?,
            text,
            picture: self.driver.picture().await?,
        })
    }

    /// Ends the hold, not the browser.
    ///
    /// # Errors
    /// When the driver refuses.
    pub async fn let_go(self) -> Outcome<()> {
        self.driver.close().await
    }

    async fn find_tab(&self, css: &str) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            for handle in self.driver.handles().await? {
                self.driver.switch_to(&handle).await?;
                if self.driver.find(css, Duration::ZERO).await.is_ok() {
                    return Ok(());
                }
            }
            if Instant::now() > until {
                let page = self.page().await?;
                return Err(Trouble::new(format!(
                    "no tab with `{css}`; the last one is {}: {}",
                    page.url, page.text
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Until the tab has come back to the product's own page on loopback.
    async fn back_home(&self) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let url = self.driver.url().await?;
            if url.starts_with("http://127.0.0.1:") && !url.contains("code=") {
                return Ok(());
            }
            if Instant::now() > until {
                let text = self.driver.text("body").await.unwrap_or_default();
                return Err(Trouble::new(format!(
                    "the browser did not come back; it is at {url}: {text}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
