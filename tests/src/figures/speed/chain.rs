//! The road that encrypts nothing and asks nobody: three processes that copy bytes, each with a buffer of 64 KiB a direction.
//! What three processes in a row cost at least, when each reads and writes; what Tidegate does besides is on top of that.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};

/// The word by which this program becomes one of the three.
pub const HOP: &str = "hop";
const HOPS: usize = 3;
const BUFFER: usize = 64 * 1024;
const START: Duration = Duration::from_secs(15);

/// Three processes in a row.
pub(super) struct Chain {
    pub(super) entrance: SocketAddr,
    children: Vec<Child>,
}

impl Chain {
    pub(super) fn build(stage: &Stage, target: SocketAddr) -> Outcome<Self> {
        let mut chain = Self {
            entrance: target,
            children: Vec::new(),
        };
        for _ in 0..HOPS {
            let at = SocketAddr::from(([127, 0, 0, 1], stage.port(0)?));
            let hop = start(at, chain.entrance)?;
            chain.children.push(hop);
            open(at)?;
            chain.entrance = at;
        }
        Ok(chain)
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(at: SocketAddr, target: SocketAddr) -> Outcome<Child> {
    let mut hop = Command::new("setpriv");
    hop.args(["--pdeathsig", "KILL"])
        .arg(std::env::current_exe()?)
        .args([HOP, &at.to_string(), &target.to_string()])
        .stdin(Stdio::null());
    hop.spawn().doing("start a hop of the plain chain")
}

fn open(at: SocketAddr) -> Outcome<()> {
    let until = Instant::now() + START;
    while std::net::TcpStream::connect(at).is_err() {
        if Instant::now() > until {
            return Err(Trouble::new("a hop of the plain chain did not open"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// One of the three: copies whatever comes at `at` to `target` and back, until the process is killed.
///
/// # Errors
/// When `at` cannot be listened on.
pub async fn hop(at: SocketAddr, target: SocketAddr) -> Outcome<()> {
    let listener = TcpListener::bind(at).await?;
    loop {
        let (near, _) = listener.accept().await?;
        tokio::spawn(async move {
            // How one connection of a yardstick ends is nobody's news.
            let _ = copy(near, target).await;
        });
    }
}

async fn copy(mut near: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    let mut far = TcpStream::connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await?;
    Ok(())
}
