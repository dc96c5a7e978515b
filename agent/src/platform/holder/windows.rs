//! The table of listening sockets with their processes, then the process' name.
//! Names of other users' processes are shown by Windows as well; where not, it is said to be somebody else's.

use netstat2::{
    AddressFamilyFlags, ProtocolFlags, ProtocolSocketInfo, TcpState, iterate_sockets_info,
};

use super::Holder;
use crate::platform::user;

pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let families = AddressFamilyFlags::IPV4 | AddressFamilyFlags::IPV6;
    let table = iterate_sockets_info(families, ProtocolFlags::TCP).ok()?;
    let pid = table.flatten().find_map(|socket| {
        let ProtocolSocketInfo::Tcp(tcp) = &socket.protocol_socket_info else {
            return None;
        };
        let holds = tcp.state == TcpState::Listen && tcp.local_port == port;
        holds.then(|| socket.associated_pids.first().copied())?
    })?;
    match user::name(pid) {
        Some(name) => Some(Holder::of_program(&name, pid)),
        None => Some(Holder::of_user(None)),
    }
}
