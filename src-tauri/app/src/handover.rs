//! Takes a join link out of this process's command line, which every user of the computer can read as long as it runs.
//! A newcomer would clear the words in place: nothing safe does that. The program starts itself anew, and the link waits in a pipe that is closed already.

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

/// The link that a former self has left in the pipe: it is all there, and the pipe is closed. Any other pipe is not waited for.
#[cfg(unix)]
pub(crate) fn left_link(most: usize) -> Option<Secret> {
    use std::io::IsTerminal as _;

    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return None;
    }
    whole(&mut stdin.lock(), most)
}

/// Elsewhere nobody leaves one.
#[cfg(not(unix))]
pub(crate) fn left_link(_: usize) -> Option<Secret> {
    None
}

#[cfg(unix)]
fn whole(pipe: &mut (impl std::io::Read + std::os::fd::AsFd), most: usize) -> Option<Secret> {
    use std::io::Read as _;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let flags = fcntl_getfl(&*pipe).ok()?;
    fcntl_setfl(&*pipe, flags | OFlags::NONBLOCK).ok()?;
    let mut link = String::with_capacity(most);
    let read = pipe.by_ref().take(most as u64).read_to_string(&mut link);
    // Others may hold the same pipe.
    let _ = fcntl_setfl(&*pipe, flags);
    (read.is_ok() && link.starts_with("tidegate:")).then(|| Secret::from(link))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;

    const LINK: &str = "tidegate://join?org=acme";

    #[test]
    fn what_a_former_self_left_is_read_to_its_end() {
        let (mut pipe, mut former) = std::io::pipe().unwrap();
        former.write_all(LINK.as_bytes()).unwrap();
        drop(former);

        let link = whole(&mut pipe, 1_000).unwrap();

        assert_eq!(link.reveal(), LINK);
    }

    #[test]
    fn a_pipe_that_nobody_closes_is_not_waited_for() {
        let (mut pipe, mut other) = std::io::pipe().unwrap();

        assert_eq!(whole(&mut pipe, 1_000), None);
        other.write_all(LINK.as_bytes()).unwrap();
        assert_eq!(whole(&mut pipe, 1_000), None);
    }

    #[test]
    fn what_is_no_link_is_none() {
        let (mut pipe, mut other) = std::io::pipe().unwrap();
        other.write_all(b"yes\n").unwrap();
        drop(other);

        assert_eq!(whole(&mut pipe, 1_000), None);
    }
}
