//! Pictures of the laptop's whole screen, as a person would see it.
//! They are taken by ImageMagick's `import` on the laptop and handed over through a pipe of bytes in a file.

use std::path::Path;
use std::time::Duration;

use super::{LIMIT, Laptop};
use crate::trouble::{Doing, Outcome};

impl Laptop {
    /// # Errors
    /// When no picture can be taken.
    pub async fn picture(&self, to: &Path) -> Outcome<()> {
        let shot = self.home().join("run/screen.png");
        self.program("screen", "import")
            .args(["-window", "root"])
            .arg(&shot)
            .output(&self.stage, LIMIT)
            .await?;
        std::fs::copy(&shot, to).doing(format!("keep the picture {}", to.display()))?;
        std::fs::remove_file(shot)?;
        Ok(())
    }

    /// A picture with the tray's menu open: a real click on the icon, then Escape.
    ///
    /// # Errors
    /// When no picture can be taken.
    pub async fn picture_of_tray(&self, to: &Path) -> Outcome<()> {
        let (x, y) = self.tray_icon().await?;
        self.xdotool(&["mousemove", &x, &y, "click", "1"]).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let taken = self.picture(to).await;
        self.xdotool(&["key", "Escape"]).await?;
        taken
    }

    /// Where the panel put the icon: left of the clock, at the right end of the bar.
    async fn tray_icon(&self) -> Outcome<(String, String)> {
        let found = self
            .xdotool(&[
                "search",
                "--class",
                "wrapper-2.0",
                "getwindowgeometry",
                "--shell",
            ])
            .await?;
        let value = |key: &str| -> Option<i32> {
            found
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
        };
        let (x, y) = (
            value("X").doing("find the tray")?,
            value("Y").doing("find the tray")?,
        );
        Ok(((x + 16).to_string(), (y + 16).to_string()))
    }

    async fn xdotool(&self, words: &[&str]) -> Outcome<String> {
        self.terminal("xdotool", "xdotool", words).await
    }
}
