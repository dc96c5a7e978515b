//! The demo as a person has it in a terminal: what it prints, what it asks, and how it ends.
//! It runs on a display of the test's; what is on Ana's laptop is found where the demo puts it, by its process id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tidegate_tests::trouble::{Doing, Outcome, Trouble};

/// What stands before everything that somebody has to do.
const ASKS: &str = "  ☞ ";
/// For the longest step in which nobody is asked anything.
const SILENCE: Duration = Duration::from_secs(300);

pub(crate) struct Demo {
    child: Child,
    said: PathBuf,
    /// What was asked so far.
    heard: usize,
}

/// What comes next.
pub(crate) enum Next {
    Asks(String),
    Ended(ExitStatus),
}

impl Demo {
    pub(crate) fn start(display: &str, out: &Path, patience: Duration) -> Outcome<Self> {
        std::fs::create_dir_all(out)?;
        let said = out.join("said.txt");
        let file = File::create(&said)?;
        let mut command = Command::new("setpriv");
        command.args("--pdeathsig KILL".split(' '));
        command.arg(env!("CARGO_BIN_EXE_demo"));
        command.args(["--person", "--patience", &patience.as_secs().to_string()]);
        command.arg("--out").arg(out).env("DISPLAY", display);
        command.stdin(Stdio::null()).stderr(file.try_clone()?);
        Ok(Self {
            child: command.stdout(file).spawn().doing("start the demo")?,
            said,
            heard: 0,
        })
    }

    /// Waits until something is asked that was not asked yet, or until the end.
    pub(crate) async fn next(&mut self) -> Outcome<Next> {
        let until = Instant::now() + SILENCE;
        loop {
            let ended = self.child.try_wait()?;
            if let Some(asked) = self.asks().get(self.heard) {
                self.heard += 1;
                return Ok(Next::Asks(asked.clone()));
            }
            if let Some(status) = ended {
                return Ok(Next::Ended(status));
            }
            if Instant::now() > until {
                return Err(Trouble::new(format!("nothing happens:\n{}", self.said())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it has said this, and is still there.
    pub(crate) async fn says(&mut self, words: &str, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        while !self.said().contains(words) {
            if self.child.try_wait()?.is_some() || Instant::now() > until {
                let said = self.said();
                return Err(Trouble::new(format!("it never said `{words}`:\n{said}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// How often it has said that the last thing it asked is still to do.
    pub(crate) fn reminders(&self) -> usize {
        self.said().matches("still to do").count()
    }

    /// Ana's home on her laptop.
    pub(crate) fn home(&self) -> PathBuf {
        let run = format!("tg{}x0/home/ana", self.child.id());
        std::env::temp_dir().join(run)
    }

    /// Her laptop's display.
    pub(crate) fn laptop(&self) -> Outcome<String> {
        let number = std::fs::read_to_string(self.home().join("run/display"));
        Ok(format!(":{}", number.doing("find her display")?.trim()))
    }

    fn asks(&self) -> Vec<String> {
        let said = self.said();
        // The last line may be half written.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        let asked = whole.lines().filter_map(|line| line.strip_prefix(ASKS));
        asked.map(str::to_owned).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
