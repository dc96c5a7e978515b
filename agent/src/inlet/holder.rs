//! Which program holds a local port, so that "port taken" can name it.
//! Other users' programs can be seen (uid) but not named (their descriptors are closed to us): both facts are optional.

use std::fs;
use std::path::Path;

/// A program as a person would look for it in a task list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The short name the kernel keeps (15 bytes), printable characters only.
    pub(crate) program: String,
    /// `None` for another user's program: which one it is, the system does not tell us.
    pub(crate) pid: Option<u32>,
}

/// The program that listens on `port` on a loopback or wildcard address, if the system tells us.
pub(crate) fn holder_of(port: u16) -> Option<Holder> {
    let inodes: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?;
    let ours = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| holds(*pid, &inodes))
        .and_then(name);
    Some(ours.unwrap_or_else(|| Holder {
        program: "another user's program".to_owned(),
        pid: None,
    }))
}

/// Inodes of listening sockets on `port` in a `/proc/net/tcp` table (state 0A, port in hex).
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next()?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?;
            (local.ends_with(&suffix) && state == "0A").then(|| inode.parse().ok())?
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
    // A program chooses its own name; it may not choose what our sentence looks like.
    let program: String = raw
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(32)
        .collect();
    Some(Holder {
        program,
        pid: Some(pid),
    })
}

#[cfg(all(test, target_os = "linux"))]
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
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();

        assert_eq!(holder_of(port), None);
    }

    #[test]
    fn only_listening_sockets_on_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:3C8C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x\n   1: 0100007F:3C8C 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 x\n   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4244 1 x\n";

        assert_eq!(listening_inodes(table, 0x3C8C), vec![4242]);
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
        assert_eq!(listening_inodes(&seen, port).len(), 1);
    }
}
