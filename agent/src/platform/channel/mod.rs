//! The way between a running agent and the command line of the same user: a Unix socket, on Windows a named pipe.
//! Both ends look at who is at the other one before a byte is said: a join link is a secret.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Listener, Stream, connect};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Listener, Stream, connect};

/// The other end is not known to be the same user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end belongs to another user")]
pub(crate) struct Foreign;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn two_ends_of_the_same_user_talk_and_a_dead_listeners_place_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        assert!(connect(&path).await.is_err());
        drop(Listener::bind(&path).unwrap());
        let listener = Listener::bind(&path).unwrap();

        let (far, near) = tokio::join!(connect(&path), listener.accept());
        let (mut far, mut near) = (far.unwrap().unwrap(), near.unwrap().unwrap());
        far.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        near.read_exact(&mut heard).await.unwrap();

        assert_eq!(&heard, b"hello");
        drop((far, near, listener));
        assert!(connect(&path).await.is_err());
    }
}
