//! Temporary roles at a real PostgreSQL: who a session is there, and what is left of it.
#![allow(clippy::unwrap_used)]

mod killed;
mod sessions;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Point, RoleKeeping, Roles};
use crate::config::RoleSettings;
use crate::postgres::PostgresService;
use crate::postgres::tests::Stage;
use crate::postgres::tests::cluster::Cluster;
use crate::testing::{audit_in, private_dir};

/// Where a run is stopped: whoever comes there says so, and goes on when told to, or never.
#[derive(Default)]
pub(super) struct StopsAt(Mutex<Option<(Point, oneshot::Sender<GoOn>)>>);

type GoOn = oneshot::Sender<()>;

impl StopsAt {
    pub(super) async fn pass(&self, point: Point) {
        let stop = self.0.lock().unwrap().take_if(|(at, _)| *at == point);
        if let Some((_, there)) = stop {
            let (go_on, told) = oneshot::channel();
            there.send(go_on).unwrap();
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn at(&self, point: Point) -> oneshot::Receiver<GoOn> {
        let (there, is_there) = oneshot::channel();
        *self.0.lock().unwrap() = Some((point, there));
        is_there
    }
}

/// A service whose sessions run under temporary roles, and the data directory of its outlet.
struct Desk {
    stage: Stage,
    data: TempDir,
    /// What its roles are called in SQL, whatever else runs at the same database.
    own: &'static str,
}

impl Desk {
    /// A maker, a group that reads and writes and one that reads, all called after `own`.
    fn new(cluster: &Arc<Cluster>, own: &'static str) -> Self {
        let (maker, writers, readers) = names(own);
        cluster.psql(
            "nyc",
            &format!(
                "CREATE ROLE {maker} LOGIN CREATEROLE PASSWORD 'pencil';
                 CREATE ROLE {writers}; CREATE ROLE {readers};
                 GRANT {writers}, {readers} TO {maker} WITH ADMIN OPTION;
                 CREATE TABLE {own}_flights AS SELECT 1 AS flight;
                 GRANT SELECT, INSERT ON {own}_flights TO {writers};
                 GRANT SELECT ON {own}_flights TO {readers};
                 GRANT CREATE ON SCHEMA public TO {writers}"
            ),
        );
        let data = private_dir();
        let stage = Stage::at(cluster, &maker, "pencil", |target| {
            target.roles = Some(RoleSettings {
                member_of: writers,
                read_only_member_of: Some(readers),
                statement: Some(Duration::from_secs(60)),
                idle_in_transaction: None,
            });
        });
        let mut desk = Self { stage, data, own };
        desk.restart();
        desk
    }

    /// As an outlet does that starts: with what its data directory says, and nothing else.
    fn restart(&mut self) {
        let (name, target) = (
            self.stage.service.name().clone(),
            self.stage.service.target().clone(),
        );
        let keeping = RoleKeeping {
            data: self.data.path(),
            outlet: self.own.as_bytes(),
            audit: &audit_in(self.data.path()),
        };
        let service = PostgresService::new(name, target)
            .keeping_roles(&keeping)
            .unwrap();
        self.stage.service = Arc::new(service);
    }

    fn roles(&self) -> &Roles {
        self.stage.service.roles().unwrap()
    }

    fn psql(&self, sql: &str) -> String {
        self.stage.cluster.psql("nyc", sql)
    }

    /// The temporary roles of this desk that are at the database.
    fn made(&self) -> String {
        let prefix = self.roles().0.prefix.as_str().to_owned();
        self.psql(&format!(
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{prefix}') ORDER BY 1"
        ))
    }

    /// Waits until neither role, nor session, nor line in the journal is left; fails after `limit`.
    async fn sees_nothing_left(&self, limit: Duration) {
        let begun = Instant::now();
        loop {
            let (roles, lines) = (self.made(), self.roles().0.journal.all().await);
            let sessions = self.psql("SELECT count(*) FROM pg_stat_activity WHERE starts_with(usename, 'tg_') AND usename NOT IN (SELECT rolname FROM pg_roles)");
            if roles.is_empty() && lines.is_empty() && sessions == "0" {
                return;
            }
            assert!(
                begun.elapsed() < limit,
                "left: {roles:?}, {lines:?}, {sessions} sessions"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn names(own: &str) -> (String, String, String) {
    (
        format!("{own}_maker"),
        format!("{own}_writers"),
        format!("{own}_readers"),
    )
}
