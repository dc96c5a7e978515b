//! A program's way in: the inlet's port on the laptop, as the user whose port it is.
//! However a connection ends, its words are taken down once: in the answer to a request, or by whoever carries it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, Error, NoTls};

use super::ear::{Ear, Heard, lock};
use crate::Site;
use crate::chaos::ledger::{End, Ledger};
use crate::company::SERVICE_PORT;
use crate::stage::Stage;
use crate::user::User;
use crate::warehouse::DATABASE;

/// Whoever waits longer for anything has met a connection that hangs: each fault is over long before.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long the last words of a connection may take behind its end.
const WORDS: Duration = Duration::from_secs(5);

pub(super) struct Door {
    pub(super) stage: Arc<Stage>,
    pub(super) ledger: Arc<Ledger>,
}

/// A session in the database, through the portal.
pub(super) struct Session {
    pub(super) client: Client,
    carrying: JoinHandle<Result<(), Error>>,
    heard: Arc<Mutex<Heard>>,
    begun: Instant,
}

/// Why a piece of work was not done.
pub(super) enum Broken {
    /// The connection ended, with these words where the answer had them.
    Ended(Option<String>),
    /// It answered, and not what is true.
    Wrong(String),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(said) if said.severity() == "FATAL" => Self::Ended(Some(said.to_string())),
            Some(said) => Self::Wrong(said.to_string()),
            None if error.is_closed() || is_of_the_wire(&error) => Self::Ended(None),
            None => Self::Wrong(error.to_string()),
        }
    }
}

fn is_of_the_wire(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// What nobody answers within [`PATIENCE`].
pub(super) async fn answered<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Broken> {
    match timeout(PATIENCE, what).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Broken::Wrong(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}

impl Door {
    /// None where it was refused, which the ledger knows by then.
    pub(super) async fn enter(&self, who: &str) -> Option<Session> {
        let begun = Instant::now();
        self.ledger.book().live += 1;
        let end = match self.knock().await {
            Ok(stream) => {
                let (stream, heard) = Ear::on(stream);
                match timeout(PATIENCE, config().connect_raw(stream, NoTls)).await {
                    Ok(Ok((client, connection))) => {
                        self.ledger.book().opened += 1;
                        let carrying = tokio::spawn(connection);
                        return Some(Session {
                            client,
                            carrying,
                            heard,
                            begun,
                        });
                    }
                    Ok(Err(error)) => words(&error, &heard),
                    Err(_) => End::Silent("it was neither let in nor refused".to_owned()),
                }
            }
            Err(error) => End::Silent(error.to_string()),
        };
        self.ledger.refused(who, end);
        None
    }

    async fn knock(&self) -> std::io::Result<TcpStream> {
        let stage = Arc::clone(&self.stage);
        let knocking = tokio::task::spawn_blocking(move || {
            let inlet = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_PORT);
            let ana = stage.run().real_uid(User::Analyst);
            let limit = Duration::from_secs(20);
            stage.ground().connect_as(ana, Site::Cafe, inlet, limit)
        });
        let stream = knocking.await.map_err(std::io::Error::other)??;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }

    /// Its program is done with it.
    pub(super) async fn leave(&self, who: &str, session: Session) {
        drop(session.client);
        let end = match timeout(PATIENCE, session.carrying).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(words(&error, &session.heard)),
            Ok(Err(error)) => Some(End::Silent(error.to_string())),
            Err(_) => Some(End::Silent("its farewell was not taken".to_owned())),
        };
        match end {
            Some(end) => self.ledger.ended(who, session.begun, end),
            None => {
                let mut book = self.ledger.book();
                book.live -= 1;
                book.left += 1;
            }
        }
    }

    /// It ended under its program.
    pub(super) async fn lost(&self, who: &str, session: Session, told: Option<String>) {
        let end = match (told, timeout(WORDS, session.carrying).await) {
            (Some(told), _) => End::Told(told),
            (None, Ok(Ok(Err(error)))) => words(&error, &session.heard),
            (None, Ok(Ok(Ok(())))) => End::Silent("as if nothing was under way".to_owned()),
            (None, Ok(Err(error))) => End::Silent(error.to_string()),
            (None, Err(_)) => End::Silent("and nothing came behind it".to_owned()),
        };
        self.ledger.ended(who, session.begun, end);
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.user("ana").dbname(DATABASE);
    config
}

fn words(error: &Error, heard: &Mutex<Heard>) -> End {
    if let Some(said) = error.as_db_error() {
        return End::Told(said.to_string());
    }
    let heard = lock(heard);
    if let Some(said) = heard.fatal() {
        return End::Told(said);
    }
    if heard.is_inside() {
        return End::Cut;
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    End::Silent(format!("{error} {}", cause.unwrap_or_default()))
}
