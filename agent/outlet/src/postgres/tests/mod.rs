//! The kind `postgres` against a real PostgreSQL.
//! Programs are tokio-postgres over an in-memory stream in place of the portal.
#![allow(clippy::unwrap_used)]

mod abuse;
pub(crate) mod cluster;
mod ending;
mod faults;
mod sessions;
mod spares;
mod statements;

use std::fs;
use std::future::{Future, pending};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Cluster;
use tempfile::TempDir;
use tidegate_proto::frame::Purpose;
use tidegate_proto::permit::Permit;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::rehearsal::permit;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Connection, NoTls};
use tokio_util::sync::CancellationToken;

use super::{PortalEnd, PostgresService};
use crate::config::PostgresTarget;
use crate::login::LoginSource;
use crate::target_tls::{TargetTls, Trust};
use crate::testing::private_dir;

/// A service at a real database.
pub(crate) struct Stage {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) service: Arc<PostgresService>,
    last_call: CancellationToken,
    login: TempDir,
}

impl Stage {
    fn new(user: &str) -> Self {
        Self::with(user, "pencil", |_| ())
    }

    fn with(user: &str, password: &str, change: impl FnOnce(&mut PostgresTarget)) -> Self {
        Self::at(&Cluster::shared(), user, password, change)
    }

    pub(crate) fn at(
        cluster: &Arc<Cluster>,
        user: &str,
        password: &str,
        change: impl FnOnce(&mut PostgresTarget),
    ) -> Self {
        let (mut target, login) = target(cluster, user, password);
        change(&mut target);
        let service = Arc::new(PostgresService::new("warehouse".parse().unwrap(), target));
        Self {
            cluster: Arc::clone(cluster),
            service,
            last_call: CancellationToken::new(),
            login,
        }
    }

    /// A role of its own, so that tests running beside each other can count their backends.
    fn alone(user: &str) -> Self {
        let stage = Self::new(user);
        stage.cluster.psql(
            "postgres",
            &format!("DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN PASSWORD 'pencil'"),
        );
        stage
    }

    /// A portal that carries until `ended`.
    fn portal(
        &self,
        person: &str,
        ended: impl Future<Output = Problem> + Send + 'static,
    ) -> (DuplexStream, JoinHandle<PortalEnd>) {
        self.portal_with(permit(person, 1, Purpose::Connect), ended)
    }

    fn portal_with(
        &self,
        permit: Permit,
        ended: impl Future<Output = Problem> + Send + 'static,
    ) -> (DuplexStream, JoinHandle<PortalEnd>) {
        let (program, portal) = duplex(64 * 1024);
        let last_call = self.last_call.clone();
        let service = Arc::clone(&self.service);
        (
            program,
            tokio::spawn(async move {
                let unheard = service
                    .begin(&[], permit, service.ready().await)
                    .await
                    .unwrap();
                let bounds = crate::postgres::Bounds {
                    ended,
                    last_call,
                    rest: tidegate_postgres::Rest::default(),
                };
                service.serve(portal, unheard, bounds).await
            }),
        )
    }

    pub(crate) async fn program(&self) -> Program {
        self.program_of("00uana").await
    }

    async fn program_of(&self, person: &str) -> Program {
        self.program_with(permit(person, 1, Purpose::Connect)).await
    }

    pub(crate) async fn program_with(&self, permit: Permit) -> Program {
        let (end, ended) = oneshot::channel();
        let ended = async move {
            match ended.await {
                Ok(problem) => problem,
                Err(_) => pending().await,
            }
        };
        let (stream, portal) = self.portal_with(permit, ended);
        let (client, connection) = config().connect_raw(stream, NoTls).await.unwrap();
        Program {
            client,
            connection: tokio::spawn(drive(connection)),
            portal,
            end,
        }
    }

    /// What a program that asks for nothing special hears when it is refused.
    pub(crate) async fn refusal(&self) -> (tokio_postgres::error::DbError, PortalEnd, Duration) {
        self.refusal_of(permit("00uana", 1, Purpose::Connect)).await
    }

    pub(crate) async fn refusal_of(
        &self,
        permit: Permit,
    ) -> (tokio_postgres::error::DbError, PortalEnd, Duration) {
        let begun = Instant::now();
        let (stream, portal) = self.portal_with(permit, pending());
        let error = config()
            .connect_raw(stream, NoTls)
            .await
            .err()
            .expect("it is refused");
        let took = begun.elapsed();
        let heard = error.as_db_error().expect("it is told why").clone();
        (heard, portal.await.unwrap(), took)
    }

    /// Waits until no backend serves `user`; fails after a second.
    async fn sees_no_backend_of(&self, user: &'static str) {
        let cluster = Arc::clone(&self.cluster);
        let gone = move || {
            let begun = Instant::now();
            while backends_of(&cluster, user) > 0 {
                assert!(
                    begun.elapsed() < Duration::from_secs(1),
                    "a backend is left"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        tokio::task::spawn_blocking(gone).await.unwrap();
    }

    fn sees_nothing_left(&self) {
        assert_eq!(self.service.cancels().len(), 0, "a cancel key is left");
    }
}

/// A target that logs in as `user`, and the directory its login lies in.
fn target(cluster: &Cluster, user: &str, password: &str) -> (PostgresTarget, TempDir) {
    let dir = private_dir();
    for (key, value) in [
        ("username", user),
        ("password", password),
        ("database", "nyc"),
    ] {
        fs::write(dir.path().join(key), value).unwrap();
        fs::set_permissions(dir.path().join(key), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let trust = Trust::File(cluster.ca());
    let target = PostgresTarget {
        address: Some(format!("localhost:{}", cluster.port).parse().unwrap()),
        database: None,
        login: LoginSource::Directory(dir.path().to_owned()),
        tls: TargetTls::Verified {
            trust,
            server_name: None,
        },
        any_database: false,
        accepts: Default::default(),
        statements: None,
        roles: None,
    };
    (target, dir)
}

/// Backends that serve `user`.
fn backends_of(cluster: &Cluster, user: &str) -> u32 {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'");
    cluster.psql("postgres", &sql).parse().unwrap()
}

/// A program with its connection.
pub(crate) struct Program {
    pub(crate) client: Client,
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
    portal: JoinHandle<PortalEnd>,
    end: oneshot::Sender<Problem>,
}

impl Program {
    /// The right to it ends; how the portal ended.
    pub(crate) async fn cut(self) -> PortalEnd {
        self.end.send(revoked()).unwrap();
        self.portal.await.unwrap()
    }

    /// How the portal ended, by whoever ended it.
    pub(crate) async fn ended(self) -> PortalEnd {
        self.portal.await.unwrap()
    }

    /// The program leaves; how the portal ended.
    pub(crate) async fn leave(self) -> PortalEnd {
        drop(self.client);
        self.connection.await.unwrap().unwrap();
        self.portal.await.unwrap()
    }
}

async fn drive(
    connection: Connection<DuplexStream, tokio_postgres::tls::NoTlsStream>,
) -> Result<(), tokio_postgres::Error> {
    connection.await
}

fn config() -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.user("ana").application_name("psql");
    config
}

fn revoked() -> Problem {
    Problem::new(Code::RevokedByAdmin)
}
