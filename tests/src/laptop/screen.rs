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

    /// The middle of the tray: of the panel's plugin windows, the one furthest to the right.
    async fn tray_icon(&self) -> Outcome<(String, String)> {
        let look = "for w in $(xdotool search --class wrapper-2.0); do xdotool getwindowgeometry --shell $w; done";
        let found = self.terminal("tray-icon", "sh", &["-c", look]).await?;
        let values = |key: &str| -> Vec<i32> {
            let lines = found
                .lines()
                .filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')?.parse().ok());
            lines.collect()
        };
        let corners = values("X").into_iter().zip(values("Y"));
        let (x, y) = corners.max().doing("find the tray on the screen")?;
        Ok(((x + 16).to_string(), (y + 16).to_string()))
    }

    async fn xdotool(&self, words: &[&str]) -> Outcome<String> {
        self.terminal("xdotool", "xdotool", words).await
    }
}
