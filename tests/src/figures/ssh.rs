//! The roads to compare with: `ssh -L`, and `ssh -J` over a jump host besides; local forwards, all on loopback.
//! Two private OpenSSH servers with keys of this run; nothing of the machine's own SSH is touched.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::warehouse::Warehouse;

/// Over how many servers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// `ssh -L`: there is no relay in it.
    One,
    /// `ssh -J`: a jump host that passes ciphertext on, as a relay does.
    Two,
}

pub(super) struct Road {
    /// Where the forward to the server of plain bytes begins.
    pub(super) bytes: SocketAddr,
    /// Where the forward to the database's Unix socket begins.
    pub(super) database: SocketAddr,
    /// Where the forward to its port begins.
    pub(super) database_tcp: SocketAddr,
    children: Vec<Child>,
}

impl Road {
    pub(super) async fn build(
        stage: &Arc<Stage>,
        over: Over,
        target: SocketAddr,
        warehouse: &Warehouse,
    ) -> Outcome<Self> {
        let folder = stage.run().at(match over {
            Over::One => "ssh-l",
            Over::Two => "ssh-j",
        });
        std::fs::create_dir_all(&folder)?;
        std::fs::create_dir_all("/run/sshd").doing("make the folder that sshd wants")?;
        for name in ["host", "user"] {
            keygen(&folder.join(name))?;
        }
        std::fs::copy(folder.join("user.pub"), folder.join("authorized"))?;
        let (jump, far) = (stage.port(0)?, stage.port(0)?);
        let (bytes, database, database_tcp) = (stage.port(0)?, stage.port(0)?, stage.port(0)?);
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let config = format!(
            "Host *\n User root\n IdentityFile {0}/user\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n\
             Host jump\n HostName 127.0.0.1\n Port {jump}\nHost far\n HostName 127.0.0.1\n Port {far}\n ProxyJump {1}\n",
            folder.display(),
            match over {
                Over::One => "none",
                Over::Two => "jump",
            },
        );
        std::fs::write(folder.join("config"), config)?;
        let mut road = Self {
            bytes: here(bytes),
            database: here(database),
            database_tcp: here(database_tcp),
            children: Vec::new(),
        };
        if over == Over::Two {
            road.children.push(serve(&folder, jump)?);
        }
        road.children.push(serve(&folder, far)?);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let forwards = [
            format!("{bytes}:{target}"),
            format!(
                "{database}:{}/.s.PGSQL.{}",
                warehouse.socket().display(),
                warehouse.address.port()
            ),
            format!("{database_tcp}:{}", warehouse.address),
        ];
        let client = quiet("ssh")
            .arg("-F")
            .arg(folder.join("config"))
            .arg("-N")
            .args(forwards.iter().flat_map(|forward| ["-L", forward]))
            .arg("far")
            .spawn()?;
        road.children.push(client);
        road.open().await?;
        Ok(road)
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    async fn open(&self) -> Outcome<()> {
        let until = Instant::now() + Duration::from_secs(15);
        let is_open = |entrance| std::net::TcpStream::connect(entrance).is_ok();
        while ![self.bytes, self.database, self.database_tcp]
            .into_iter()
            .all(is_open)
        {
            if Instant::now() > until {
                return Err(Trouble::new("ssh did not open its forwards"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn keygen(path: &PathBuf) -> Outcome<()> {
    let done = quiet("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()?;
    if done.success() {
        Ok(())
    } else {
        Err(Trouble::new("ssh-keygen failed"))
    }
}

fn serve(folder: &Path, port: u16) -> Outcome<Child> {
    let settings = [
        format!("HostKey={}", folder.join("host").display()),
        format!("AuthorizedKeysFile={}", folder.join("authorized").display()),
        format!("Port={port}"),
        "ListenAddress=127.0.0.1".to_owned(),
        "PidFile=none".to_owned(),
        "PermitRootLogin=prohibit-password".to_owned(),
        "StrictModes=no".to_owned(),
        "UsePAM=no".to_owned(),
    ];
    let mut sshd = quiet("/usr/sbin/sshd");
    sshd.args(["-D", "-f", "/dev/null"])
        .args(settings.iter().flat_map(|setting| ["-o", setting.as_str()]));
    sshd.spawn().doing("start sshd")
}

/// Dies with the thread that started it.
fn quiet(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
