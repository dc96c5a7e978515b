//! The front against real programs, a real channel, and mostly a real outlet kind with a real PostgreSQL behind it.
//! What stands in for the rest of the agent is an opener that makes portals over a loopback connection.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // nobody kills it here
#[path = "../../../../outlet/src/postgres/tests/cluster.rs"]
mod cluster;
mod ends;
mod lines;
mod openings;
mod programs;
mod reasons;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, binary};
use tempfile::TempDir;
use tidegate_link::{Portal, Secure, initiate, respond};
use tidegate_outlet::config::PostgresTarget;
use tidegate_outlet::login::LoginSource;
use tidegate_outlet::postgres::{Bounds, PostgresService};
use tidegate_outlet::target_tls::{TargetTls, Trust};
use tidegate_postgres::Rest;
use tidegate_proto::channel::{CircuitToken, Prologue, Suite};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::frame::Purpose;
use tidegate_proto::identity::NoiseSecret;
use tidegate_proto::rehearsal::permit;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::ServiceName;
use crate::inlet::host::{Awaited, Opener};

fn warehouse() -> ServiceName {
    "warehouse".parse().unwrap()
}

/// Two ends of one channel.
async fn channel() -> (Secure, Secure) {
    let (agent, outlet) = (
        NoiseSecret::generate(&SystemEntropy),
        NoiseSecret::generate(&SystemEntropy),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dialled, accepted) = tokio::join!(
        TcpStream::connect(listener.local_addr().unwrap()),
        listener.accept()
    );
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap().0);
    tidegate_link::tune(&dialled).unwrap();
    tidegate_link::tune(&accepted).unwrap();
    let prologue = |suite| {
        Prologue::portal(
            suite,
            "acme".parse().unwrap(),
            warehouse(),
            CircuitToken([7; 16]),
        )
    };
    let known = prologue(Suite::Aes256Gcm);
    let (initiated, responded) = tokio::join!(
        initiate(dialled, &known, &agent, outlet.public()),
        respond(accepted, prologue, &outlet)
    );
    (initiated.unwrap(), responded.unwrap())
}

/// Opens portals to the outlet kind, in this process.
struct RealOutlet(Arc<PostgresService>, watch::Receiver<Option<Problem>>);

impl Opener for RealOutlet {
    fn open<'a>(
        &'a self,
        _: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(async move {
            let service = Arc::clone(&self.0);
            // As an outlet: OPENED or REFUSED is said when this is known.
            let ready = service.ready().await;
            let beginning = service
                .begin(first, permit("00uana", 1, Purpose::Connect), ready)
                .await?;
            let (ours, theirs) = channel().await;
            let mut withdrawn = self.1.clone();
            let ended = async move {
                let why = withdrawn
                    .wait_for(Option::is_some)
                    .await
                    .map(|why| why.clone());
                match why {
                    Ok(why) => why.unwrap(),
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::spawn(async move {
                let portal = Portal::new(theirs);
                let bounds = Bounds {
                    ended,
                    last_call: CancellationToken::new(),
                    rest: Rest::default(),
                };
                service.serve(portal, beginning, bounds).await
            });
            Ok(Portal::new(ours))
        })
    }
}

/// Refuses.
struct Refuses(Code);

impl Opener for Refuses {
    fn open<'a>(
        &'a self,
        service: &'a ServiceName,
        _: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(async { Err(Problem::new(self.0).service(service)) })
    }
}

/// Opens portals once it may.
struct Patient<O>(O, watch::Receiver<bool>);

impl<O: Opener> Opener for Patient<O> {
    fn open<'a>(
        &'a self,
        service: &'a ServiceName,
        first: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(async move {
            self.1.clone().wait_for(|may| *may).await.unwrap();
            self.0.open(service, first).await
        })
    }
}

/// An inlet with a front, as programs see it.
struct Inlet {
    port: u16,
    awaited: watch::Sender<Option<Awaited>>,
    close: watch::Sender<Option<Problem>>,
    ends: mpsc::Receiver<VisitEnd>,
    accepting: JoinHandle<()>,
}

impl Inlet {
    async fn new(opener: impl Opener) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (awaited, awaits) = watch::channel(None);
        let (close, closed) = watch::channel(None);
        let host = Arc::new(Host::new(warehouse(), Arc::new(opener), awaits, closed));
        let (ended, ends) = mpsc::channel(100);
        let front = Arc::new(Front::new());
        let accepting = tokio::spawn(async move {
            while let Ok((program, _)) = listener.accept().await {
                let (front, host, ended) = (Arc::clone(&front), Arc::clone(&host), ended.clone());
                tokio::spawn(async move {
                    let end = front.serve(program, &host).await;
                    let _ = ended.send(end).await;
                });
            }
        });
        Self {
            port,
            awaited,
            close,
            ends,
            accepting,
        }
    }

    /// With the outlet kind and a real database behind it.
    async fn real() -> (Self, Database) {
        let database = Database::new();
        (Self::new(database.outlet()).await, database)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// psql at the inlet, as people call it.
    fn psql(&self, settings: &str) -> Command {
        let mut command = Command::new(binary("psql"));
        command
            .args(["-X", "-A", "-t", "-q"])
            .arg(format!(
                "host=localhost port={} user=ana connect_timeout=20 {settings}",
                self.port
            ))
            .env_remove("PGPASSWORD")
            .env("PGPASSFILE", "/nonexistent")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn next_end(&mut self) -> VisitEnd {
        tokio::time::timeout(Duration::from_secs(10), self.ends.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A service of the outlet kind, and the PostgreSQL behind it.
struct Database {
    cluster: Arc<Cluster>,
    service: Arc<PostgresService>,
    /// Ends what the outlet carries.
    withdraw: watch::Sender<Option<Problem>>,
    login: TempDir,
}

impl Database {
    fn new() -> Self {
        Self::at(Cluster::shared().port)
    }

    /// The login and trust of the real one, but where it is not.
    fn at(port: u16) -> Self {
        let cluster = Cluster::shared();
        let login = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        for (key, value) in [
            ("username", "loader"),
            ("password", "pencil"),
            ("database", "nyc"),
        ] {
            fs::write(login.path().join(key), value).unwrap();
            fs::set_permissions(login.path().join(key), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let target = PostgresTarget {
            address: Some(format!("localhost:{port}").parse().unwrap()),
            database: None,
            login: LoginSource::Directory(login.path().to_owned()),
            tls: TargetTls::Verified {
                trust: Trust::File(cluster.ca()),
                server_name: None,
            },
            any_database: false,
            accepts: tidegate_postgres::Accepts::default(),
            statements: None,
            roles: None,
        };
        let service = Arc::new(PostgresService::new(warehouse(), target));
        Self {
            cluster,
            service,
            withdraw: watch::channel(None).0,
            login,
        }
    }

    /// Makes a database of that name, and serves it instead.
    fn serves(&mut self, name: &str) {
        let quoted = name.replace('"', "\"\"");
        let known = "SELECT count(*) FROM pg_database WHERE datname = ";
        let literal = name.replace('\'', "''");
        if self
            .cluster
            .psql("postgres", &format!("{known}'{literal}'"))
            == "0"
        {
            let make = format!("CREATE DATABASE \"{quoted}\" OWNER loader");
            self.cluster.psql("postgres", &make);
        }
        fs::write(self.login.path().join("database"), name).unwrap();
    }

    fn outlet(&self) -> RealOutlet {
        RealOutlet(Arc::clone(&self.service), self.withdraw.subscribe())
    }
}

/// What a program printed, and how it ended.
async fn run(mut command: Command) -> (String, String, Option<i32>) {
    let output = tokio::time::timeout(Duration::from_secs(60), command.output())
        .await
        .unwrap()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}
