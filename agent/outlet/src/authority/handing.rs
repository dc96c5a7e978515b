//! Hands the lines of the audit in at the authority, in order, on a connection of its own; the audit on disk is the spool.
//! Nobody waits for it: while the authority is away the audit goes on, and what it missed is handed in when it is back.

use std::io;
use std::time::Duration;

use tidegate_link::api_client::{ApiClient, ApiError};
use tidegate_link::{Backoff, LinkError};
use tidegate_proto::api::path;
use tidegate_proto::api::record::{HandIn, HandedIn};
use tidegate_proto::entropy::SystemEntropy;
use tidegate_proto::problem::Code;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Way, register};
use crate::audit::after::{self, Cursor, Found};
use crate::config::AuditPlace;

/// What happens together is handed in together.
const GATHERS: Duration = Duration::from_millis(500);
/// How long a connection is kept: the authority ends it after two minutes.
const STAYS: Duration = Duration::from_secs(60);
/// What another try would not mend is tried again so much later.
const LATER: Duration = Duration::from_mins(10);

/// What handing in needs.
pub(crate) struct Hander {
    pub(crate) way: Way,
    pub(crate) place: AuditPlace,
    /// The owner's wish: then nothing is handed in.
    pub(crate) keeps_here: bool,
    /// The number of the newest line that is durable.
    pub(crate) durable: watch::Receiver<u64>,
}

/// Why lines were not handed in.
#[derive(Debug, thiserror::Error)]
enum NotHandedIn {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("the audit cannot be read: {0}")]
    Disk(#[from] io::Error),
    #[error(
        "the audit's lines after number {0} are not here any more; move it away whole, then a new one begins"
    )]
    Gone(u64),
}

impl NotHandedIn {
    fn is_lasting(&self) -> bool {
        // A hub from before there was such a call says that it does not understand.
        let too_old = Code::PeerBrokeProtocol.number();
        match self {
            Self::Gone(_) | Self::Disk(_) => true,
            Self::Api(ApiError::Refused(code)) => *code == too_old,
            Self::Link(_) | Self::Api(_) => false,
        }
    }
}

impl Hander {
    /// Until `stop`, whatever happens.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        if !self.keeps_here {
            let _ = stop.run_until_cancelled(self.hand_in_for_ever()).await;
        }
    }

    async fn hand_in_for_ever(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            match self.one_connection().await {
                Ok(()) => {
                    backoff.reset();
                    // Its sender lives as long as anything is recorded.
                    if self.durable.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                }
                Err(error) if error.is_lasting() => {
                    tracing::error!(hub = %self.way.hub, %error, "records were not handed in");
                    sleep(LATER).await;
                }
                Err(error) => {
                    tracing::info!(hub = %self.way.hub, %error, "records are not handed in yet");
                    sleep(backoff.next(&SystemEntropy)).await;
                }
            }
        }
    }

    /// Hands in what there is, and what comes for a while.
    async fn one_connection(&mut self) -> Result<(), NotHandedIn> {
        let until = Instant::now() + STAYS;
        let mut api = connect(&self.way).await?;
        let has: HandedIn = hand_in(&mut api, Vec::new(), false).await?;
        let Some((mut cursor, mut anew)) = self.cursor(has).await? else {
            return Ok(());
        };
        loop {
            let durable = *self.durable.borrow_and_update();
            let (place, from) = (self.place.clone(), cursor);
            let batch = blocking(move || after::next(&place, &from, durable)).await?;
            cursor = batch.after;
            if !batch.lines.is_empty() {
                hand_in(&mut api, batch.lines, anew).await?;
                anew = false;
                continue;
            }
            match timeout_at(until, self.durable.changed()).await {
                Ok(Ok(())) => sleep(GATHERS).await,
                Ok(Err(_)) | Err(_) => return Ok(()),
            }
        }
    }

    /// Where to go on, and whether with another chain than before.
    async fn cursor(&self, has: HandedIn) -> Result<Option<(Cursor, bool)>, NotHandedIn> {
        let place = self.place.clone();
        match blocking(move || after::find(&place, has)).await? {
            None => Ok(None),
            Some(Found::Here(cursor)) => Ok(Some((cursor, false))),
            Some(Found::Other(cursor)) => {
                tracing::warn!(hub = %self.way.hub, lines = has.seq, "the audit is another one than was handed in before; both are kept there");
                Ok(Some((cursor, true)))
            }
            Some(Found::Gone) => Err(NotHandedIn::Gone(has.seq)),
        }
    }
}

async fn connect(way: &Way) -> Result<ApiClient, NotHandedIn> {
    let mut api = ApiClient::new(way.connect().await?).await?;
    let identity = &way.keys.identity;
    register(&mut api, identity, way.link_key.public(), Vec::new()).await?;
    Ok(api)
}

async fn hand_in(
    api: &mut ApiClient,
    lines: Vec<String>,
    anew: bool,
) -> Result<HandedIn, ApiError> {
    api.post(path::HAND_IN, &HandIn { lines, anew }).await
}

async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let looked = spawn_blocking(look).await;
    looked.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}
