//! The hub of the company under attack: authority and relay on one port, in this process or as the real program.
//! In this process a thief can be given what is inside; the program can be weighed, since nothing else lives in it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tidegate_authority::{Anchor, Authority, AuthorityConfig, SystemClock};
use tidegate_link::{Doorstep, Preface, keyfile, now, read_preface, tune};
use tidegate_proto::{
    identity::NoiseSecret,
    names::HubAddress,
    statement::{AuthorityStatement, OrgBundle},
};
use tidegate_relay::{Catalogue, Limits, Relay, RelayConfig};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::company::{RELAY_KEY, acme, within};
use crate::org::Org;

/// Connections at the door that have not said anything yet, as in the program.
const STRANGERS: usize = 1024;

pub(crate) enum Hub {
    Here(HubHere),
    Program(HubProgram),
}

impl Hub {
    pub(crate) fn here(&self) -> &HubHere {
        match self {
            Self::Here(hub) => hub,
            Self::Program(_) => panic!("nobody can look into a program"),
        }
    }

    pub(crate) fn program(&self) -> &HubProgram {
        match self {
            Self::Program(hub) => hub,
            Self::Here(_) => panic!("this hub shares the process with everybody else"),
        }
    }

    pub(crate) async fn end(self) {
        match self {
            Self::Here(hub) => hub.end().await,
            Self::Program(hub) => hub.end().await,
        }
    }
}

/// Authority and relay among everybody else.
pub(crate) struct HubHere {
    pub(crate) authority: Arc<Authority>,
    /// Where the relay leads key tunnels; a thief of the hub may lead them elsewhere.
    pub(crate) key_host: watch::Sender<HubAddress>,
    relay: Relay,
    closing: CancellationToken,
    door: JoinHandle<()>,
    /// Held: the relay watches it.
    _statement: watch::Sender<AuthorityStatement>,
    _catalogue: watch::Sender<Arc<Catalogue>>,
}

impl HubHere {
    pub(crate) async fn start(
        listener: TcpListener,
        data: &Path,
        org: &Org,
        bundle: OrgBundle,
    ) -> Self {
        let authority = authority(data, org, bundle).await;
        let statement = watch::Sender::new(authority.statement());
        let key_host = watch::Sender::new(authority.key_host());
        let catalogue = watch::Sender::new(catalogue_of(&authority));
        let relay = Relay::new(RelayConfig {
            org: acme(),
            authority: statement.subscribe(),
            noise: NoiseSecret::from_bytes(&RELAY_KEY),
            key_host: key_host.subscribe(),
            shut_out: authority.shut_out(),
            catalogue: catalogue.subscribe(),
            limits: Limits::default(),
            clock: Arc::new(now),
        });
        let closing = CancellationToken::new();
        let hall = Hall {
            authority: Some(Arc::clone(&authority)),
            relay: relay.clone(),
        };
        let door = tokio::spawn(hall.serve(listener, closing.clone()));
        Self {
            authority,
            key_host,
            relay,
            closing,
            door,
            _statement: statement,
            _catalogue: catalogue,
        }
    }

    async fn end(self) {
        self.authority.drain();
        self.closing.cancel();
        self.door.await.unwrap();
        let relay = self.relay.clone();
        self.relay.shutdown().await;
        assert_eq!((relay.links(), relay.circuits()), (0, 0));
        Arc::into_inner(self.authority).unwrap().shutdown().await;
    }
}

/// A relay on its own that was told everything once, and hears nothing any more.
pub(crate) struct DeafRelay {
    relay: Relay,
    closing: CancellationToken,
    door: JoinHandle<()>,
    _heard: Heard,
}

/// What it goes by; held, because the relay watches it.
struct Heard {
    statement: watch::Sender<AuthorityStatement>,
    key_host: watch::Sender<HubAddress>,
    catalogue: watch::Sender<Arc<Catalogue>>,
    shut_out: watch::Sender<Arc<BTreeSet<String>>>,
}

impl DeafRelay {
    pub(crate) fn start(listener: TcpListener, authority: &Authority) -> Self {
        let heard = Heard {
            statement: watch::Sender::new(authority.statement()),
            key_host: watch::Sender::new(authority.key_host()),
            catalogue: watch::Sender::new(catalogue_of(authority)),
            shut_out: watch::Sender::new(Arc::clone(&authority.shut_out().borrow())),
        };
        let relay = Relay::new(RelayConfig {
            org: acme(),
            authority: heard.statement.subscribe(),
            noise: NoiseSecret::from_bytes(&RELAY_KEY),
            key_host: heard.key_host.subscribe(),
            shut_out: heard.shut_out.subscribe(),
            catalogue: heard.catalogue.subscribe(),
            limits: Limits::default(),
            clock: Arc::new(now),
        });
        let closing = CancellationToken::new();
        let hall = Hall {
            authority: None,
            relay: relay.clone(),
        };
        let door = tokio::spawn(hall.serve(listener, closing.clone()));
        Self {
            relay,
            closing,
            door,
            _heard: heard,
        }
    }

    pub(crate) async fn end(self) {
        self.closing.cancel();
        self.door.await.unwrap();
        self.relay.shutdown().await;
    }
}

fn catalogue_of(authority: &Authority) -> Arc<Catalogue> {
    let (root, services) = authority.catalogue();
    Arc::new(Catalogue { root, services })
}

async fn authority(data: &Path, org: &Org, bundle: OrgBundle) -> Arc<Authority> {
    let anchor = Anchor {
        org: acme(),
        root: org.root.verify_key().peer_id(),
    };
    let config = AuthorityConfig {
        data: data.join("authority"),
        anchor,
    };
    let opened = Authority::open(config, bundle, Arc::new(SystemClock)).await;
    Arc::new(opened.unwrap())
}

/// Where a connection says what it is for: as in the program, without its signals.
struct Hall {
    /// Nothing where there is only a relay.
    authority: Option<Arc<Authority>>,
    relay: Relay,
}

impl Hall {
    async fn serve(self, listener: TcpListener, closing: CancellationToken) {
        let doorstep = Doorstep::new(STRANGERS);
        let mut connections = JoinSet::new();
        while let Some(accepted) = closing.run_until_cancelled(listener.accept()).await {
            let Ok((mut tcp, from)) = accepted else {
                continue;
            };
            let guest = doorstep.enter_from(from.ip());
            let (authority, relay) = (self.authority.clone(), self.relay.clone());
            connections.spawn(async move {
                let _ = tune(&tcp);
                match guest.within(read_preface(&mut tcp)).await {
                    Ok(Preface::Api) => {
                        if let Some(authority) = authority {
                            let _ = authority.serve_api(tcp, guest).await;
                        }
                    }
                    Ok(Preface::Link) => relay.serve_link(tcp, guest),
                    Ok(Preface::Circuit(token)) => relay.serve_circuit(tcp, token),
                    Err(_) => {}
                }
            });
            while connections.try_join_next().is_some() {}
        }
        while let Some(ended) = connections.join_next().await {
            ended.unwrap();
        }
    }
}

/// `tidegate hub run`, alone in its process.
pub(crate) struct HubProgram {
    child: Child,
    /// Read to its end: what it says is shown when something went wrong.
    said: JoinHandle<Vec<String>>,
}

impl HubProgram {
    pub(crate) async fn start(
        address: SocketAddr,
        data: &Path,
        org: &Org,
        bundle: OrgBundle,
    ) -> Self {
        let (config, bundle_file) = (data.join("hub.toml"), data.join("bundle.json"));
        let mut key = b"tidegate-relay-key/1\n".to_vec();
        key.extend_from_slice(&RELAY_KEY);
        keyfile::private_directory(&data.join("relay")).unwrap();
        keyfile::create(&data.join("relay/relay.key"), &key).unwrap();
        std::fs::write(&bundle_file, serde_json::to_vec(&bundle).unwrap()).unwrap();
        let text = format!(
            "listen = \"{address}\"\ndata = \".\"\nbundle = \"bundle.json\"\norg = \"acme\"\nroot = \"{}\"\n",
            org.root.verify_key().peer_id()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(program())
            .args(["hub", "run", "--config"])
            .arg(&config)
            .env_remove("TIDEGATE_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        within(listening(&mut said)).await;
        let said = tokio::spawn(rest(said));
        Self { child, said }
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("the hub's program runs")
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    /// Open descriptors: connections, most of all.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    async fn end(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.child.wait().await.unwrap();
        let said = self.said.await.unwrap();
        assert!(status.success(), "{}", said.join("\n"));
        let bad = |line: &&String| line.contains("ERROR") || line.contains("panicked");
        assert_eq!(said.iter().find(bad), None);
    }
}

/// Beside the test's own folder.
fn program() -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("tidegate");
    assert!(
        program.exists(),
        "build it first: `cargo build -p tidegate-cli`"
    );
    program
}

async fn listening(said: &mut Lines<BufReader<ChildStderr>>) {
    loop {
        let line = said.next_line().await.unwrap();
        if line
            .expect("the hub's program ended")
            .contains("hub is listening")
        {
            return;
        }
    }
}

async fn rest(mut said: Lines<BufReader<ChildStderr>>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(Some(line)) = said.next_line().await {
        lines.push(line);
    }
    lines
}
