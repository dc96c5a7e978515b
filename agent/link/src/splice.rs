//! Joining two connections as a relay does: in the kernel where it offers that, else through our own memory.
//! Linux alone offers it for two sockets.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use crate::pipe::join as join_in_kernel;
#[cfg(target_os = "linux")]
pub use linux::join_in_kernel;
