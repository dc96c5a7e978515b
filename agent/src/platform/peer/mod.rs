//! Who is at the other end of a loopback connection: the same user, or nobody we serve.
//! A newcomer would admit what the system does not know: whatever is not known to be ours is foreign.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::is_ours;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos::is_ours;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::is_ours;

#[cfg(test)]
mod tests;

/// Why a local program was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("the connection does not come from this computer")]
    NotLocal,
    #[error("the program belongs to another user")]
    OtherUser,
    #[error("the program has already gone")]
    Gone,
    #[error("the system does not say whose program it is")]
    Unknown,
}

/// Admits the connection `client → server` (both as seen by the accepting side) when a live socket of our own user holds its other end.
///
/// # Errors
/// Whatever is not known to be ours is foreign.
pub(crate) fn admit_same_user(client: SocketAddr, server: SocketAddr) -> Result<(), NotAdmitted> {
    if !client.ip().is_loopback() || !server.ip().is_loopback() {
        return Err(NotAdmitted::NotLocal);
    }
    if is_ours(client, server)? {
        Ok(())
    } else {
        Err(NotAdmitted::OtherUser)
    }
}

/// Nobody has written the lookup for this system, and unknown means foreign.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn is_ours(_: SocketAddr, _: SocketAddr) -> Result<bool, NotAdmitted> {
    Err(NotAdmitted::Unknown)
}
