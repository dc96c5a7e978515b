//! The processes of our own user, asked one after the other for the socket at the other end (`libproc`).
//! The system shows nobody else's descriptors, so a program that is not found is another user's, or gone: which one stays unknown.

use std::net::SocketAddr;

use super::NotAdmitted;
use crate::platform::sockets::{own_processes, tcp_sockets};

pub(super) fn is_ours(client: SocketAddr, server: SocketAddr) -> Result<bool, NotAdmitted> {
    let end = |address: SocketAddr| (address.ip(), address.port());
    let is_it = |pid: u32| {
        tcp_sockets(pid).any(|socket| {
            socket.local == end(client) && socket.remote == end(server) && socket.is_live
        })
    };
    if own_processes().into_iter().any(is_it) {
        Ok(true)
    } else {
        Err(NotAdmitted::Unknown)
    }
}
