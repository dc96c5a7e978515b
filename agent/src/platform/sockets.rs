//! The TCP sockets of a process, as `libproc` tells them on macOS.
//! Numbers in these records are in network order, whatever their types say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libproc::file_info::{ListFDs, ProcFDType, pidfdinfo};
use libproc::net_info::{InSIAddr, InSockInfo, SocketFDInfo, SocketInfoKind, TcpSIState};
use libproc::proc_pid::listpidinfo;
use libproc::processes::{ProcFilter, pids_by_type};

/// Descriptors of one process that are looked at; more are no desktop program's.
const MOST: usize = 65_536;
/// `INI_IPV4` of `sys/proc_info.h`.
const IPV4: u8 = 1;

/// One socket.
pub(super) struct TcpSocket {
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
    /// Established, or half-closed by this end: programs that send and then wait for the answer.
    pub(super) is_live: bool,
    pub(super) is_listening: bool,
}

/// What runs under our own account.
pub(super) fn own_processes() -> Vec<u32> {
    let uid = rustix::process::geteuid().as_raw();
    pids_by_type(ProcFilter::ByUID { uid }).unwrap_or_default()
}

/// The TCP sockets of a process of our own; nothing of others.
pub(super) fn tcp_sockets(pid: u32) -> impl Iterator<Item = TcpSocket> {
    let pid = pid.cast_signed();
    let descriptors = listpidinfo::<ListFDs>(pid, MOST).unwrap_or_default();
    descriptors
        .into_iter()
        .filter(|descriptor| matches!(ProcFDType::from(descriptor.proc_fdtype), ProcFDType::Socket))
        .filter_map(move |descriptor| pidfdinfo::<SocketFDInfo>(pid, descriptor.proc_fd).ok())
        .filter_map(|socket| tcp(&socket))
}

#[allow(unsafe_code)]
fn tcp(socket: &SocketFDInfo) -> Option<TcpSocket> {
    let SocketInfoKind::Tcp = SocketInfoKind::from(socket.psi.soi_kind) else {
        return None;
    };
    // SAFETY: `soi_kind` says which field of the union the kernel filled, and it is this one. Any bits are a value of it.
    let tcp = unsafe { socket.psi.soi_proto.pri_tcp };
    let ends = &tcp.tcpsi_ini;
    let state = TcpSIState::from(tcp.tcpsi_state);
    Some(TcpSocket {
        local: (address(ends, &ends.insi_laddr), port(ends.insi_lport)),
        remote: (address(ends, &ends.insi_faddr), port(ends.insi_fport)),
        is_live: matches!(
            state,
            TcpSIState::Established | TcpSIState::FinWait1 | TcpSIState::FinWait2
        ),
        is_listening: matches!(state, TcpSIState::Listen),
    })
}

#[allow(unsafe_code)]
fn address(ends: &InSockInfo, of: &InSIAddr) -> IpAddr {
    if ends.insi_vflag & IPV4 != 0 {
        // SAFETY: the flag says that the address of this connection is an IPv4 one. Any bits are a value of it.
        let v4 = unsafe { of.ina_46.i46a_addr4 };
        IpAddr::V4(Ipv4Addr::from(v4.s_addr.to_ne_bytes()))
    } else {
        // SAFETY: as above, for the other one.
        let v6 = unsafe { of.ina_6 };
        IpAddr::V6(Ipv6Addr::from(v6.s6_addr))
    }
}

fn port(field: i32) -> u16 {
    let [high, low, ..] = field.to_ne_bytes();
    u16::from_be_bytes([high, low])
}
