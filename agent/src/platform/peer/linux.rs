//! One question to the kernel about one connection (`sock_diag(7)`).
//! A closed client shows uid 0 and inode 0, which is not root: only a live socket counts. And a lookup for a dead client may find a listener on its old port: only the very connection counts.

use std::net::{IpAddr, SocketAddr};

use super::NotAdmitted;

pub(super) fn is_ours(client: SocketAddr, server: SocketAddr) -> Result<bool, NotAdmitted> {
    let owner = owner_of(client, server)?;
    if owner.inode == 0 {
        return Err(NotAdmitted::Gone);
    }
    Ok(owner.uid == rustix::process::geteuid().as_raw())
}

/// The kernel's record of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    uid: u32,
    inode: u32,
}

fn owner_of(client: SocketAddr, server: SocketAddr) -> Result<Owner, NotAdmitted> {
    let mut answer = [0_u8; 1024];
    let length =
        ask_kernel(&question(client, server), &mut answer).map_err(|_| NotAdmitted::Unknown)?;
    read_answer(answer.get(..length).unwrap_or_default(), client, server)
}

/// One exact lookup over netlink (`sock_diag(7)`): the kernel answers before `send` returns, in about 0.1 ms.
fn ask_kernel(question: &[u8], answer: &mut [u8]) -> Result<usize, rustix::io::Errno> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    rustix::net::sendto(
        &socket,
        question,
        SendFlags::empty(),
        &netlink::SocketAddrNetlink::new(0, 0),
    )?;
    let (length, _) = rustix::net::recv(&socket, answer, RecvFlags::DONTWAIT)?;
    Ok(length)
}

const REQUEST_LEN: u32 = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const IPPROTO_TCP: u8 = 6;
/// Where the connection's identity begins in question and answer, behind header and four or eight bytes of flags.
const ANSWER_ID: usize = 20;

/// `struct nlmsghdr` and `struct inet_diag_req_v2`, in host byte order but for ports and addresses.
fn question(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let mut out = Vec::with_capacity(REQUEST_LEN as usize);
    out.extend_from_slice(&REQUEST_LEN.to_ne_bytes());
    out.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    out.extend_from_slice(&[0; 8]); // sequence, port id
    out.extend_from_slice(&[family(client), IPPROTO_TCP, 0, 0]);
    out.extend_from_slice(&u32::MAX.to_ne_bytes()); // any state
    out.extend_from_slice(&identity(client, server));
    out.extend_from_slice(&[0; 4]); // any interface
    out.extend_from_slice(&[0xff; 8]); // no cookie
    out
}

fn family(address: SocketAddr) -> u8 {
    // AF_INET and AF_INET6 on Linux.
    if address.is_ipv4() { 2 } else { 10 }
}

/// As the kernel tells an address of a program that calls 127.0.0.1 by a socket for both families, as every program of Java does.
fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        v6 @ IpAddr::V6(_) => v6,
    };
    (ip, address.port()).into()
}

/// Ports and addresses of the client's own socket: its side is the source.
fn identity(client: SocketAddr, server: SocketAddr) -> [u8; 36] {
    let mut id = [0; 36];
    id[..2].copy_from_slice(&client.port().to_be_bytes());
    id[2..4].copy_from_slice(&server.port().to_be_bytes());
    id[4..20].copy_from_slice(&address_field(client.ip()));
    id[20..].copy_from_slice(&address_field(server.ip()));
    id
}

fn address_field(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => {
            let mut field = [0; 16];
            field[..4].copy_from_slice(&v4.octets());
            field
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// `struct inet_diag_msg`, believed only when it speaks of this very connection.
fn read_answer(
    answer: &[u8],
    client: SocketAddr,
    server: SocketAddr,
) -> Result<Owner, NotAdmitted> {
    let kind = answer
        .get(4..6)
        .and_then(|b| b.try_into().ok())
        .map(u16::from_ne_bytes);
    if kind == Some(NLMSG_ERROR) {
        return Err(NotAdmitted::Gone);
    }
    let forms = [(client, server), (mapped(client), mapped(server))];
    let mut told = forms
        .iter()
        .filter(|(client, _)| answer.get(16) == Some(&family(*client)))
        .peekable();
    if kind != Some(SOCK_DIAG_BY_FAMILY) || told.peek().is_none() {
        return Err(NotAdmitted::Unknown);
    }
    let id = answer.get(ANSWER_ID..ANSWER_ID + 36);
    let same = told.any(|(client, server)| id == Some(&identity(*client, *server)[..]));
    let (Some(state), true) = (answer.get(17), same) else {
        return Err(NotAdmitted::Gone);
    };
    if !is_live(*state) {
        return Err(NotAdmitted::Gone);
    }
    let uid = word(answer, 80)?;
    let inode = word(answer, 84)?;
    Ok(Owner { uid, inode })
}

/// Established, or half-closed by the client (FIN_WAIT1, FIN_WAIT2): programs that send and then wait for the answer.
fn is_live(state: u8) -> bool {
    matches!(state, 1 | 4 | 5)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, NotAdmitted> {
    let field = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    field.map(u32::from_ne_bytes).ok_or(NotAdmitted::Unknown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_short_or_foreign_answer_is_never_believed() {
        let client = "127.0.0.1:4000".parse().unwrap();
        let server = "127.0.0.1:5000".parse().unwrap();
        let mut whole = vec![0_u8; 88];
        whole[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        whole[16] = 2;
        whole[17] = 1;
        whole[20..56].copy_from_slice(&identity(client, server));
        whole[84] = 7;

        assert_eq!(
            read_answer(&whole, client, server),
            Ok(Owner { uid: 0, inode: 7 })
        );
        for length in 0..whole.len() {
            assert!(
                read_answer(&whole[..length], client, server).is_err(),
                "{length}"
            );
        }
        assert!(read_answer(&whole, server, client).is_err());
    }
}
