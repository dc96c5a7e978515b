//! The other end of the control socket: how the CLI talks to a running agent.
//! It looks at who listens before it says anything: a join link is a secret.

use std::path::Path;

use tidegate_proto::problem::Problem;
use tokio::io::{AsyncWriteExt, BufReader};

use super::{MAX_REPLY, Reply, Request, read_line};
use crate::platform::channel::{self, Foreign, Stream};
use crate::{Action, Snapshot};

/// Why a running agent could not be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("no agent is running")]
    NotRunning,
    #[error("the socket belongs to another user")]
    Foreign,
    #[error("the agent ended the conversation")]
    Ended,
}

/// A connection to a running agent.
#[derive(Debug)]
pub struct Client(BufReader<Stream>);

impl Client {
    /// Connects to the agent of this user that listens at `socket`.
    ///
    /// # Errors
    /// `NotRunning` when nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        match channel::connect(socket).await {
            Ok(Ok(stream)) => Ok(Self(BufReader::new(stream))),
            Ok(Err(Foreign)) => Err(ClientError::Foreign),
            Err(_) => Err(ClientError::NotRunning),
        }
    }

    /// As `Agent::act`.
    ///
    /// # Errors
    /// When the conversation broke; the inner result is the agent's.
    pub async fn act(&mut self, action: Action) -> Result<Result<(), Problem>, ClientError> {
        self.say(&Request::Act(action)).await?;
        match self.hear().await? {
            Reply::Done(None) => Ok(Ok(())),
            Reply::Done(Some(problem)) => Ok(Err(problem)),
            Reply::Snapshot(_) => Err(ClientError::Ended),
        }
    }

    /// Every snapshot from now on, the current one first.
    ///
    /// # Errors
    /// When the conversation broke.
    pub async fn snapshots(mut self) -> Result<Snapshots, ClientError> {
        self.say(&Request::Snapshot(true)).await?;
        Ok(Snapshots(self))
    }

    async fn say(&mut self, request: &Request) -> Result<(), ClientError> {
        let json = serde_json::to_string(request).map_err(|_| ClientError::Ended)?;
        let line = zeroize::Zeroizing::new(json + "\n");
        self.0
            .write_all(line.as_bytes())
            .await
            .map_err(|_| ClientError::Ended)
    }

    async fn hear(&mut self) -> Result<Reply, ClientError> {
        let line = read_line(&mut self.0, MAX_REPLY)
            .await
            .ok_or(ClientError::Ended)?;
        serde_json::from_str(&line).map_err(|_| ClientError::Ended)
    }
}

/// Snapshots as they come.
#[derive(Debug)]
pub struct Snapshots(Client);

impl Snapshots {
    /// The next one.
    ///
    /// # Errors
    /// `Ended` when the agent has.
    pub async fn next(&mut self) -> Result<Snapshot, ClientError> {
        match self.0.hear().await? {
            Reply::Snapshot(snapshot) => Ok(*snapshot),
            Reply::Done(_) => Err(ClientError::Ended),
        }
    }
}
