//! Asks the person at the terminal for a secret, without showing what is typed or pasted.
//! A newcomer would read standard input: that may be a file; a secret is asked of whoever sits at the terminal.

use zeroize::Zeroizing;

/// The line that is typed, at most `most` bytes with its line feed; `None` where nobody can be asked.
#[cfg(unix)]
pub(crate) fn ask(question: &str, most: usize) -> Option<Zeroizing<Vec<u8>>> {
    use std::fs::OpenOptions;
    use std::io::{Read, Write};

    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.ok()?;
    let quiet = Quiet::on(&terminal)?;
    terminal.write_all(question.as_bytes()).ok()?;
    terminal.flush().ok()?;

    // A terminal gives a line at a time.
    let mut typed = Zeroizing::new(vec![0; most]);
    let length = terminal.read(&mut typed).ok()?;
    drop(quiet);
    let _ = terminal.write_all(b"\n"); // only for the eye
    typed.truncate(length);
    Some(typed)
}

#[cfg(not(unix))]
pub(crate) fn ask(_: &str, _: usize) -> Option<Zeroizing<Vec<u8>>> {
    None
}

/// A terminal that does not show what is typed, until this is dropped.
#[cfg(unix)]
struct Quiet {
    terminal: std::fs::File,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Quiet {
    fn on(terminal: &std::fs::File) -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        let before = tcgetattr(terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet).ok()?;
        Some(Self {
            terminal: terminal.try_clone().ok()?,
            before,
        })
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before); // the terminal may be gone
    }
}
