//! How a port on loopback is taken for ourselves alone.
//! A newcomer would set `SO_REUSEADDR` everywhere: on Windows it lets two programs listen on one port.

use std::io;

use tokio::net::TcpSocket;

/// Lets a port be taken again at once after Disconnect; it never lets two programs listen.
#[cfg(unix)]
pub(crate) fn reusable(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseaddr(true)
}

/// Windows gives a port back at once, and what the option means there is not wanted.
#[cfg(not(unix))]
pub(crate) fn reusable(_: &TcpSocket) -> io::Result<()> {
    Ok(())
}

/// Whether `::1` can be listened on at all.
#[cfg(target_os = "linux")]
pub(crate) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

/// Whether `::1` can be listened on at all: unless somebody took it out, and then binding says so.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_ipv6() -> bool {
    true
}
