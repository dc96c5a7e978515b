//! A display with nobody in front of it, and the hands and eyes of the robot on any display.
//! Eyes only look for colours: enough to know that a page is there, and nothing that a person would not see.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_tests::trouble::{Doing, Outcome, Trouble};

const LIMIT: Duration = Duration::from_secs(60);
/// So many points of a colour are not there by accident.
const SEEN: usize = 200;

/// The person's own display, larger than the laptop that appears on it.
pub(crate) struct Own {
    server: Child,
    pub(crate) name: String,
}

impl Own {
    pub(crate) fn switch_on() -> Outcome<Self> {
        let mut command = Command::new("setpriv");
        let words =
            "--pdeathsig KILL Xvfb -displayfd 1 -screen 0 1400x1000x24 -nolisten tcp -noreset";
        command.args(words.split(' ')).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().doing("start Xvfb")?;
        let said = server.stdout.take().doing("read the display's number")?;
        let mut number = String::new();
        BufReader::new(said).read_line(&mut number)?;
        let name = format!(":{}", number.trim());
        Ok(Self { server, name })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Hands and eyes on a display.
pub(crate) struct At<'a>(pub(crate) &'a str);

impl At<'_> {
    /// Waits for a window of this title, and goes to it.
    pub(crate) async fn goes_to(&self, title: &str) -> Outcome<()> {
        let until = Instant::now() + LIMIT;
        loop {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
            if let Some(window) = found.unwrap_or_default().lines().last() {
                return self
                    .xdotool(&["windowactivate", "--sync", window])
                    .map(drop);
            }
            if Instant::now() > until {
                return Err(Trouble::new(format!("no window is called {title}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn presses(&self, keys: &[&str]) -> Outcome<()> {
        let words = [&["key", "--delay", "30"], keys].concat();
        self.xdotool(&words).map(drop)
    }

    pub(crate) fn types(&self, text: &str) -> Outcome<()> {
        self.xdotool(&["type", "--delay", "20", text]).map(drop)
    }

    /// Waits until something of this colour is on the display.
    pub(crate) async fn sees(&self, what: &str, colour: [u8; 3]) -> Outcome<()> {
        let until = Instant::now() + LIMIT;
        loop {
            let picture = self.run("import", &["-window", "root", "-depth", "8", "rgb:-"])?;
            let points = picture.chunks_exact(3).filter(|point| *point == colour);
            if points.count() >= SEEN {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Trouble::new(format!("{what} was not seen")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn picture(&self, to: &std::path::Path) -> Outcome<()> {
        let file = to.to_string_lossy();
        self.run("import", &["-window", "root", &*file]).map(drop)
    }

    fn xdotool(&self, words: &[&str]) -> Outcome<String> {
        let said = self.run("xdotool", words)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    fn run(&self, program: &str, words: &[&str]) -> Outcome<Vec<u8>> {
        let mut command = Command::new(program);
        let ran = command.args(words).env("DISPLAY", self.0).output()?;
        match ran.status.success() {
            true => Ok(ran.stdout),
            false => Err(Trouble::new(format!(
                "{program} {words:?} ended with {}: {}",
                ran.status,
                String::from_utf8_lossy(&ran.stderr)
            ))),
        }
    }
}
