//! The table of connections with their processes (`GetExtendedTcpTable`), then the account of the process.
//! A process that may not be looked at is not ours.

use std::net::SocketAddr;

use netstat2::{
    AddressFamilyFlags, ProtocolFlags, ProtocolSocketInfo, SocketInfo, TcpState,
    iterate_sockets_info,
};

use super::NotAdmitted;
use crate::platform::user;

pub(super) fn is_ours(client: SocketAddr, server: SocketAddr) -> Result<bool, NotAdmitted> {
    let family = if client.is_ipv4() {
        AddressFamilyFlags::IPV4
    } else {
        AddressFamilyFlags::IPV6
    };
    let table = iterate_sockets_info(family, ProtocolFlags::TCP);
    let mut table = table.map_err(|_| NotAdmitted::Unknown)?.flatten();
    let found = table.find(|socket| is_between(socket, client, server));
    let socket = found.ok_or(NotAdmitted::Gone)?;
    match socket.associated_pids.as_slice() {
        [] => Err(NotAdmitted::Unknown),
        pids => Ok(pids.iter().all(|pid| user::is_own(*pid))),
    }
}

/// Established, or half-closed by the client: programs that send and then wait for the answer.
fn is_between(socket: &SocketInfo, client: SocketAddr, server: SocketAddr) -> bool {
    let ProtocolSocketInfo::Tcp(tcp) = &socket.protocol_socket_info else {
        return false;
    };
    let is_live = matches!(
        tcp.state,
        TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2
    );
    (tcp.local_addr, tcp.local_port) == (client.ip(), client.port())
        && (tcp.remote_addr, tcp.remote_port) == (server.ip(), server.port())
        && is_live
}
