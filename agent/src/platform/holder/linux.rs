//! The kernel's tables of listening sockets, then whoever holds such a socket.
//! Other users' programs can be seen (uid) but not named: their descriptors are closed to us.

use std::fs;
use std::path::Path;

use super::Holder;

pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let listeners: Vec<Listener> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let first = listeners.first()?;
    let inodes: Vec<u64> = listeners.iter().map(|one| one.inode).collect();
    let processes = fs::read_dir("/proc").ok()?;
    let named = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| holds(*pid, &inodes))
        .and_then(name);
    Some(named.unwrap_or_else(|| Holder::of_user(user_name(first.uid).as_deref())))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    uid: u32,
    inode: u64,
}

/// Listening sockets on `port` in a `/proc/net/tcp` table (state 0A, port in hex).
fn listeners(table: &str, port: u16) -> Vec<Listener> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next()?;
            let state = fields.nth(1)?;
            let uid = fields.nth(3)?.parse().ok()?;
            let inode = fields.nth(1)?.parse().ok()?;
            (local.ends_with(&suffix) && state == "0A").then_some(Listener { uid, inode })
        })
        .collect()
}

fn holds(pid: u32, inodes: &[u64]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|target| socket_inode(&target))
        .any(|inode| inodes.contains(&inode))
}

fn socket_inode(target: &Path) -> Option<u64> {
    target
        .to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

fn name(pid: u32) -> Option<Holder> {
    let raw = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Holder::of_program(&raw, pid))
}

/// Only who is in the local list: asking a directory could take its time.
fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn names_this_very_program() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(at) else {
                continue;
            };

            let holder = holder_of(listener.local_addr().unwrap().port()).unwrap();

            assert_eq!(holder.pid, Some(std::process::id()));
            assert!(!holder.program.is_empty());
        }
    }

    #[test]
    fn a_free_port_has_no_holder() {
        assert_eq!(holder_of(crate::testing::free_port()), None);
    }

    #[test]
    fn only_listening_sockets_on_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:3C8C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x\n   1: 0100007F:3C8C 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 x\n   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4244 1 x\n";

        let found = listeners(table, 0x3C8C);

        assert_eq!(
            found.as_slice(),
            [Listener {
                uid: 1000,
                inode: 4242
            }]
        );
    }

    #[test]
    fn another_users_program_is_said_to_be_one() {
        if !rustix::process::geteuid().is_root() {
            return; // only root can start a program as somebody else
        }
        // Seen as the other user sees it: what is held by root has no name for nobody.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!(
            "ls -l /proc/{}/fd 2>&1; cat /proc/net/tcp",
            std::process::id()
        );
        let output = std::process::Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "sh",
                "-c",
            ])
            .arg(script)
            .output()
            .unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();

        assert!(seen.contains("Permission denied"), "{seen}");
        assert_eq!(listeners(&seen, port).len(), 1);
    }
}
