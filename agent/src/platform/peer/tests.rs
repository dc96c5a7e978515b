//! Real connections on this computer, whatever the system: these run on every one of the build matrix.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use super::*;

/// macOS shows nobody else's sockets, so it cannot tell who has gone from who is somebody else.
const GONE: NotAdmitted = if cfg!(target_os = "macos") {
    NotAdmitted::Unknown
} else {
    NotAdmitted::Gone
};

fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr, SocketAddr) {
    let (stream, client) = listener.accept().unwrap();
    let server = stream.local_addr().unwrap();
    (stream, client, server)
}

#[test]
fn admits_a_program_of_the_same_user_over_both_families() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(at) else {
            continue;
        };
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_stream, client, server) = accepted(&listener);

        assert_eq!(admit_same_user(client, server), Ok(()), "{at}");
    }
}

/// Java and others call 127.0.0.1 by a socket for both families.
#[test]
fn admits_a_program_that_calls_the_short_address_by_the_long_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
    let Ok(_client) = TcpStream::connect(mapped) else {
        return; // no IPv6 at all here
    };
    let (_stream, client, server) = accepted(&listener);

    assert_eq!(client.ip().to_string(), "127.0.0.1");
    assert_eq!(admit_same_user(client, server), Ok(()));
}

#[test]
fn admits_a_program_that_has_said_all_it_had_to_say() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let half = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    let (_stream, client, server) = accepted(&listener);

    assert_eq!(admit_same_user(client, server), Ok(()));
}

// Windows leaves a closed socket with its process until the other end has closed too.
#[cfg(not(windows))]
#[test]
fn refuses_a_dead_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (_stream, client, server) = accepted(&listener);

    assert_eq!(admit_same_user(client, server), Err(GONE));
}

#[test]
fn a_listener_on_a_dead_clients_port_does_not_stand_in_for_it() {
    let inlet = TcpListener::bind("127.0.0.1:0").unwrap();
    let stand_in = TcpListener::bind("127.0.0.1:0").unwrap();

    let verdict = admit_same_user(stand_in.local_addr().unwrap(), inlet.local_addr().unwrap());

    assert_eq!(verdict, Err(GONE));
}

// `setpriv` and `/dev/tcp` are Linux'.
#[cfg(target_os = "linux")]
#[test]
fn refuses_a_program_of_another_user() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can start a program as somebody else
    }
    for address in ["127.0.0.1", "::ffff:127.0.0.1"] {
        refuses_another_user_who_calls(address);
    }
}

#[cfg(target_os = "linux")]
fn refuses_another_user_who_calls(address: &str) {
    use std::process::{Command, Stdio};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut foreign = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "bash",
            "-c",
        ])
        .arg(format!(
            "exec 3<>/dev/tcp/{address}/{port}; read -r -u 3 _ || true"
        ))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (stream, client, server) = accepted(&listener);

    assert_eq!(admit_same_user(client, server), Err(NotAdmitted::OtherUser));

    drop(stream);
    foreign.wait().unwrap();
}

#[test]
fn refuses_an_address_that_is_not_loopback() {
    let far = "192.0.2.1:5000".parse().unwrap();
    let here = "127.0.0.1:5000".parse().unwrap();

    assert_eq!(admit_same_user(far, here), Err(NotAdmitted::NotLocal));
}

#[test]
fn does_not_hold_a_connection_it_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, ..) = accepted(&listener);

    drop(stream);

    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}
