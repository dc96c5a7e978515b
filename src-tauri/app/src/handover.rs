//! Takes a join link out of this process's command line, which every user of the computer can read as long as it runs.
//! A newcomer would clear the words in place: nothing safe does that. The program starts itself anew, and the link waits in a pipe.

use tidegate_agent::Secret;

use crate::call::Call;

/// Says that the link comes on standard input.
pub(crate) const LINK_ON_STDIN: &str = "--link-on-stdin";

/// Starts this program anew in this process, with the link where only it can read it. Returns only when that cannot be done.
#[cfg(unix)]
pub(crate) fn start_anew(call: &Call, link: &Secret) -> std::io::Error {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;

    let anew = || {
        let (reader, mut writer) = std::io::pipe()?;
        // Shorter than what a pipe holds: nobody has to read meanwhile.
        writer.write_all(link.reveal().as_bytes())?;
        drop(writer);
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg(LINK_ON_STDIN).stdin(reader);
        if call.hidden {
            command.arg(crate::at_login::HIDDEN);
        }
        std::io::Result::Ok(command.exec())
    };
    anew().unwrap_or_else(|error| error)
}

/// Elsewhere only this person's own programs can read a command line.
#[cfg(not(unix))]
pub(crate) fn start_anew(_: &Call, _: &Secret) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}

/// The link that a former self has left in the pipe.
pub(crate) fn left_link(most: usize) -> Option<Secret> {
    use std::io::{IsTerminal as _, Read as _};

    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return None;
    }
    let mut link = String::with_capacity(most);
    let read = stdin.take(most as u64).read_to_string(&mut link);
    (read.is_ok() && link.starts_with("tidegate:")).then(|| Secret::from(link))
}
