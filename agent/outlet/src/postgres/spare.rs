//! One connection to a database made ahead, while programs come one after the other: the next finds TCP and TLS done.
//! Nobody is logged in on it. To the database it is a visitor who has not said a name, and it is gone after some seconds.

use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::route::Route;
use super::stream::Stream;
use crate::dial::Spent;

/// Who comes so soon after another is probably not the last.
const SOON: Duration = Duration::from_secs(2);
/// How long one waits to be used. A database gives a visitor a minute to say a name, and its owner may give less.
const KEPT: Duration = Duration::from_secs(5);

/// The spare of one service.
#[derive(Default)]
pub(super) struct Spares(Mutex<State>);

#[derive(Default)]
struct State {
    spare: Option<(Arc<Route>, Stream)>,
    /// When somebody last logged in.
    last: Option<Instant>,
    /// Makes it and throws it away.
    _keeper: Option<AbortOnDropHandle<()>>,
}

impl Spares {
    /// One that goes where `route` goes, by the same trust, and at whose other end somebody still waits.
    pub(super) fn take(&self, route: &Route) -> Option<Stream> {
        let (made_by, stream) = self.lock().spare.take()?;
        (made_by.is_same(route) && waits(stream.tcp())).then_some(stream)
    }

    /// Somebody has logged in: the next one is made ready, if one can be expected.
    pub(super) fn expect(self: &Arc<Self>, route: &Arc<Route>, spent: &Spent) {
        let mut state = self.lock();
        let before = state.last.replace(Instant::now());
        if state.spare.is_some() || before.is_none_or(|before| before.elapsed() > SOON) {
            return;
        }
        let keeping = keep(Arc::clone(self), Arc::clone(route), spent.clone());
        state._keeper = Some(AbortOnDropHandle::new(tokio::spawn(keeping)));
    }

    /// The local port of the one that waits.
    #[cfg(test)]
    pub(super) fn port(&self) -> Option<u16> {
        let state = self.lock();
        let (_, stream) = state.spare.as_ref()?;
        Some(stream.tcp().local_addr().ok()?.port())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(spares: Arc<Spares>, route: Arc<Route>, spent: Spent) {
    // Whoever comes next dials itself, and learns why nobody answers.
    let Ok(stream) = route.go_ahead(spent).await else {
        return;
    };
    spares.lock().spare = Some((route, stream));
    sleep(KEPT).await;
    spares.lock().spare = None;
}

/// A server that has closed, or says something before it was spoken to, is not one to log in at.
fn waits(tcp: &TcpStream) -> bool {
    let (mut byte, look) = ([0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    recv(tcp.as_fd(), &mut byte, look).is_err_and(|error| error == rustix::io::Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    /// A connection, and the end that a server has of it.
    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap());
        let (ours, theirs) = tokio::join!(ours, listener.accept());
        (ours.unwrap(), theirs.unwrap().0)
    }

    #[tokio::test]
    async fn only_a_server_that_is_there_and_says_nothing_waits() {
        let (silent, _server) = connected().await;
        let (left, server) = connected().await;
        drop(server);
        let (spoken_to, mut server) = connected().await;
        server.write_all(b"E").await.unwrap();
        // Loopback delivers in order and at once, but not to another processor's eyes.
        left.readable().await.unwrap();
        spoken_to.readable().await.unwrap();

        assert!(waits(&silent));
        assert!(!waits(&left));
        assert!(!waits(&spoken_to));
    }
}
