//! What operating systems do differently, one folder a concern and one file a system in it; nothing outside of here names a system.
//! A newcomer would put a `cfg` where it is needed: then one system stops compiling and nobody here sees it. A house rule keeps them in.

pub(crate) mod bus;
pub(crate) mod channel;
pub(crate) mod computer;
pub(crate) mod folder;
pub(crate) mod holder;
pub(crate) mod limits;
pub(crate) mod own_file;
pub(crate) mod peer;
pub(crate) mod port;
pub(crate) mod socket;
pub(crate) mod tray;
#[cfg(windows)]
mod user;

#[cfg(target_os = "macos")]
mod sockets;
