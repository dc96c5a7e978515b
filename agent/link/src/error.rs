//! What goes wrong on a connection, in two layers: a link (records) and a portal (a stream over them).
//! There is no "closed" that means success: a connection that just ends was lost.

use std::io;
use tidegate_proto::{
    channel::ChannelError,
    frame::FrameError,
    statement::StatementError,
    wire::link::{LinkMessageError, RelayRefusal},
};

/// Why a connection could not be made or went away.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the host name does not resolve")]
    Unresolved,
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
    #[error("the peer took too long")]
    TimedOut,
    /// The transport ended without an authenticated end.
    #[error("the connection was lost")]
    Lost,
    #[error("the first bytes are not ours")]
    Preface,
    #[error("the channel failed: {0}")]
    Channel(#[from] ChannelError),
    #[error("the peer sent a broken frame: {0}")]
    Frame(#[from] FrameError),
    #[error("the relay sent a broken message: {0}")]
    Message(#[from] LinkMessageError),
    #[error("the peer said something out of turn")]
    OutOfTurn,
    #[error("the relay refused: {0}")]
    Refused(RelayRefusal),
    /// What the hub says about itself does not follow from the pinned root.
    #[error("the hub is not the one that was joined: {0}")]
    WrongHub(StatementError),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Lost,
            kind => Self::Io(kind),
        }
    }
}

/// Why a portal ended other than by both sides finishing. Found inside the `io::Error` of a read or write.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortalError {
    /// The circuit went away without FIN or RESET: never a clean end.
    #[error("circuit lost")]
    CircuitLost,
    /// The peer ended it.
    #[error("the other side ended the portal, code {0}")]
    Reset(u16),
    /// We ended it.
    #[error("the portal was ended here, code {0}")]
    Withdrawn(u16),
    #[error("the portal broke: {0}")]
    Broken(LinkError),
}

impl PortalError {
    /// The portal error inside `error`, if that is what it is.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<LinkError> for PortalError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Lost | LinkError::Io(_) => Self::CircuitLost,
            other => Self::Broken(other),
        }
    }
}

impl From<PortalError> for io::Error {
    fn from(error: PortalError) -> Self {
        let kind = match error {
            PortalError::Withdrawn(_) => io::ErrorKind::ConnectionAborted,
            PortalError::Broken(_) => io::ErrorKind::InvalidData,
            PortalError::CircuitLost | PortalError::Reset(_) => io::ErrorKind::ConnectionReset,
        };
        Self::new(kind, error)
    }
}
