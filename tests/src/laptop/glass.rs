//! A person's view of Ana's laptop: its whole screen as one window on the person's own display.
//! Only the picture crosses: the laptop keeps its own bus, keyring, network and user.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::SCREEN;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Glass {
    child: Child,
    /// The laptop's display, `:N`.
    pub(super) display: String,
}

impl Glass {
    /// Needs the person's own `DISPLAY`.
    pub(super) async fn open(stage: &Stage) -> Outcome<Self> {
        let number = stage.run().at("display");
        let mut command = Command::new("setpriv");
        command.args("--pdeathsig KILL Xephyr -displayfd 1 -ac -no-host-grab -resizeable -nolisten tcp -title".split(' '));
        command
            .args(["Ana's laptop", "-screen", SCREEN])
            .process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&number)?)
            .stderr(File::create(stage.run().at("logs/glass.err.log"))?);
        let mut glass = Self {
            child: command.spawn().doing("start Xephyr")?,
            display: String::new(),
        };
        let until = Instant::now() + PATIENCE;
        while glass.display.is_empty() {
            if Instant::now() > until || glass.child.try_wait()?.is_some() {
                return Err(Trouble::new("Xephyr did not open a window on your display"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let said = std::fs::read_to_string(&number)?;
            glass.display = said
                .trim()
                .parse::<u32>()
                .map(|number| format!(":{number}"))
                .unwrap_or_default();
        }
        Ok(glass)
    }
}

impl Drop for Glass {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
