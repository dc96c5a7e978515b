//! A connection to the database on which the outlet asks questions of its own. No byte of a program comes near it.
//! A role can change its own defaults; on a visit they do not count, and names mean what PostgreSQL itself means by them.

use tidegate_postgres::{Accepts, Answer, Login, Row, Startup, Version, simple_query, terminate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::begin::credentials;
use super::fault::Fault;
use super::service::Access;
use super::stream::Stream;
use crate::dial::Right;

/// Logged in, and ready for a question.
pub(super) struct Visit(Stream);

impl Visit {
    /// `why`: what the database's own list of sessions says, after `tidegate:`.
    pub(super) async fn begin(
        right: Right,
        access: &Access,
        accepts: Accepts,
        (why, database): (&str, &str),
    ) -> Result<Self, Fault> {
        let startup = Startup::new(Version::V3_0)
            .with("database", database)
            .with("application_name", &format!("tidegate:{why}"))
            .with("search_path", "pg_catalog")
            .with("statement_timeout", "0");
        Self::with(right, access, accepts, startup).await
    }

    /// The same with the defaults of the login, and nothing said that a pooler on the way would refuse.
    pub(super) async fn plain(
        right: Right,
        access: &Access,
        accepts: Accepts,
        why: &str,
    ) -> Result<Self, Fault> {
        let startup = Startup::new(Version::V3_0)
            .with("database", &access.database)
            .with("application_name", &format!("tidegate:{why}"));
        Self::with(right, access, accepts, startup).await
    }

    async fn with(
        right: Right,
        access: &Access,
        accepts: Accepts,
        startup: Startup,
    ) -> Result<Self, Fault> {
        let (login, first) = Login::start(
            credentials(access),
            accepts,
            startup,
            access.route.uses_tls(),
        );
        let (stream, ..) = access.route.log_in(right, login, first).await?;
        Ok(Self(stream))
    }

    /// The rows of all statements in `sql`, which the database does all of or nothing.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, Fault> {
        self.0.write_all(&simple_query(sql)).await?;
        self.0.flush().await?;
        let (mut answer, mut buffer) = (Answer::default(), [0; 4096]);
        loop {
            let count = self.0.read(&mut buffer).await?;
            if count == 0 {
                let closed = Fault::Io(std::io::ErrorKind::UnexpectedEof);
                return Err(answer.refused().map_or(closed, Fault::Refused));
            }
            if let Some(rows) = answer.handle_input(&buffer[..count])? {
                return Ok(rows);
            }
        }
    }

    /// In good order.
    pub(super) async fn leave(mut self) -> Result<(), Fault> {
        self.0.write_all(&terminate()).await?;
        Ok(self.0.shutdown().await?)
    }
}
