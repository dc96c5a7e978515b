//! What a verb says: data on standard output, everything else on standard error.
//! `println!` would panic when the reader has seen enough (`tidegate ls | head -1`); here that is the end of the talk, not of the program.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;

/// How the answer is wanted.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct OutArgs {
    /// Print JSON, as described by `tidegate schema`; errors too, on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl OutArgs {
    /// One JSON value, or the words for people.
    pub(crate) fn answer(
        self,
        value: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return json(value);
        }
        data(&words());
        Ok(())
    }
}

/// Text for standard output, with a line end after it.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    let _ = out.flush();
}

/// One line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::internal("the answer cannot be printed", &error))?;
    data(&text);
    Ok(())
}

/// How often it is looked whether somebody still reads.
const LOOK: Duration = Duration::from_millis(500);

/// Ends when nobody reads standard output any more (`… | head -1`): who writes only now and then would never find out.
pub(crate) async fn reader_gone() {
    while !is_reader_gone() {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(unix)]
fn is_reader_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let out = std::io::stdout();
    let mut ends = [PollFd::new(&out, PollFlags::empty())];
    let seen = poll(&mut ends, Some(&now)).is_ok();
    seen && ends[0]
        .revents()
        .intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(not(unix))]
fn is_reader_gone() -> bool {
    false
}

/// Something a person wants to know and a script does not.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks a yes-or-no question on the terminal; `None` where there is nobody to ask.
pub(crate) fn asked(question: &str) -> Option<bool> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}
