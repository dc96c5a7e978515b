//! Which program holds a local port, so that "port taken" can name it.
//! What is another user's can be seen but mostly not named: every fact but that there is one is optional.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::holder_of;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::holder_of;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::holder_of;

/// Longest name of a program that is shown, in characters.
const LONGEST_NAME: usize = 32;

/// A program as a person would look for it in a task list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// As the system calls it, printable characters only.
    pub(crate) program: String,
    /// `None` for another user's program: which one it is, the system does not tell us.
    pub(crate) pid: Option<u32>,
}

impl Holder {
    fn of_program(name: &str, pid: u32) -> Self {
        Self {
            program: printable(name),
            pid: Some(pid),
        }
    }

    /// Somebody else's, whose name may be known.
    #[cfg_attr(target_os = "macos", allow(dead_code))] // there nobody else's are seen
    fn of_user(name: Option<&str>) -> Self {
        let program = match name {
            Some(name) => format!("a program of the user {}", printable(name)),
            None => "another user's program".to_owned(),
        };
        Self { program, pid: None }
    }
}

/// A program chooses its own name; it may not choose what our sentence looks like.
fn printable(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(LONGEST_NAME)
        .collect()
}

/// The program that listens on a port of a loopback or wildcard address: nobody has written the lookup for this system.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub(crate) fn holder_of(_: u16) -> Option<Holder> {
    None
}
