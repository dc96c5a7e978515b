//! A command at a real terminal of the first laptop, and what is typed there.
//! A newcomer would give it a pipe: where nobody sits at a terminal a command asks nothing, and that is another way through it.

use std::time::Duration;

use tidegate_tests::process::Process;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};

use super::ana::Ana;

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Terminal {
    process: Process,
    keys: std::path::PathBuf,
}

impl Terminal {
    pub(crate) fn open(world: &World, ana: &Ana, words: &[&str]) -> Outcome<Self> {
        let keys = ana.laptop.home().join("run/keys");
        let line = format!("{} {}", ana.tidegate.display(), words.join(" "));
        let shell = "rm -f \"$0\"; mkfifo \"$0\"; exec script -qfec \"$1\" /dev/null <>\"$0\"";
        let process = ana
            .laptop
            .program("first-terminal", "sh")
            .args(["-c", shell])
            .arg(&keys)
            .arg(line)
            .start(&world.stage)?;
        Ok(Self { process, keys })
    }

    /// Both standard output and standard error, as the screen shows them.
    pub(crate) fn said(&self) -> String {
        self.process.stdout()
    }

    pub(crate) async fn says(&mut self, words: &str) -> Outcome<()> {
        self.process.says(words, LIMIT).await
    }

    /// And sees the command end with this code. What the screen shows by then is the answer.
    pub(crate) async fn types(mut self, keys: &str, code: i32) -> Outcome<String> {
        std::fs::write(&self.keys, keys)?;
        let status = self.process.ended(LIMIT).await?;
        if status.code() == Some(code) {
            return Ok(self.said());
        }
        Err(Trouble::new(format!("{status}: {}", self.said())))
    }
}
