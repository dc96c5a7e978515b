//! Circuits: a token, the two connections that bring it, and the bytes between them.
//! A token works once for each side and for ten seconds; then it is as if it had never been.

use crate::{Inner, registry::Taken, shut_out};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tidegate_link::{Meter, dial, join_in_kernel, tune};
use tidegate_proto::{
    channel::CircuitToken,
    entropy::{Entropy, SystemEntropy},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long after it was given out a token is good.
pub(crate) const TOKEN_LIMIT: Duration = Duration::from_secs(10);
/// How long fetching the provider's keys may take.
const TUNNEL_LIMIT: Duration = Duration::from_secs(30);
/// How long a broken circuit's ends are given to hear why.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Tokens that somebody may still bring.
#[derive(Default)]
pub(crate) struct Circuits(Mutex<HashMap<CircuitToken, mpsc::Sender<TcpStream>>>);

impl Circuits {
    /// A fresh token and the connections that will bring it, `sides` at most.
    fn issue(&self, sides: usize) -> (CircuitToken, mpsc::Receiver<TcpStream>) {
        let mut bytes = [0; 16];
        SystemEntropy.fill(&mut bytes);
        let (arrived, arrivals) = mpsc::channel(sides);
        self.waiting().insert(CircuitToken(bytes), arrived);
        (CircuitToken(bytes), arrivals)
    }

    /// Hands a connection to whoever waits for its token, or closes it.
    pub(crate) fn arrive(&self, token: CircuitToken, tcp: TcpStream) {
        // A broken socket shows itself when it is used.
        let _ = tune(&tcp);
        let waiting = self.waiting();
        if let Some(arrived) = waiting.get(&token) {
            // More sides than there are: dropped here, and so closed.
            let _ = arrived.try_send(tcp);
        }
    }

    /// Makes a token worth nothing; a circuit that still waits for it ends.
    pub(crate) fn withdraw(&self, token: CircuitToken) {
        self.waiting().remove(&token);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<CircuitToken, mpsc::Sender<TcpStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a token when its time is over, however that comes.
struct Issued<'a> {
    circuits: &'a Circuits,
    token: CircuitToken,
}

impl Drop for Issued<'_> {
    fn drop(&mut self) {
        self.circuits.withdraw(self.token);
    }
}

/// Starts a circuit between the first two that bring its token.
pub(crate) fn open(inner: &Arc<Inner>, taken: Taken) -> CircuitToken {
    let (token, arrivals) = inner.circuits.issue(2);
    let carrier = Arc::clone(inner);
    inner.tasks.spawn(async move {
        carrier
            .stop
            .run_until_cancelled(between(&carrier, token, arrivals, &taken.shut_out))
            .await;
        drop(taken);
    });
    token
}

/// Starts a key tunnel for the first that brings its token.
pub(crate) fn tunnel(inner: &Arc<Inner>, taken: Taken) -> CircuitToken {
    let (token, arrivals) = inner.circuits.issue(1);
    let carrier = Arc::clone(inner);
    inner.tasks.spawn(async move {
        let stop = carrier.stop.clone();
        let carried = taken
            .shut_out
            .run_until_cancelled(to_key_host(&carrier, token, arrivals));
        stop.run_until_cancelled(carried).await;
        drop(taken);
    });
    token
}

async fn between(
    inner: &Inner,
    token: CircuitToken,
    mut arrivals: mpsc::Receiver<TcpStream>,
    shut_out: &CancellationToken,
) {
    let both = {
        let _issued = Issued {
            circuits: &inner.circuits,
            token,
        };
        let arrived = timeout(TOKEN_LIMIT, async {
            Some((arrivals.recv().await?, arrivals.recv().await?))
        });
        shut_out.run_until_cancelled(arrived).await
    };
    let Some(Ok(Some((mut one, mut other)))) = both else {
        tracing::debug!("a circuit's token ran out");
        return;
    };
    drop(arrivals);
    tokio::select! {
        () = carry(&mut one, &mut other) => {}
        () = shut_out::over(shut_out) => tracing::debug!("a circuit was cut, its holder is shut out"),
    }
}

async fn to_key_host(inner: &Inner, token: CircuitToken, mut arrivals: mpsc::Receiver<TcpStream>) {
    let outlet = {
        let _issued = Issued {
            circuits: &inner.circuits,
            token,
        };
        timeout(TOKEN_LIMIT, arrivals.recv()).await
    };
    let Ok(Some(mut outlet)) = outlet else { return };
    drop(arrivals);
    let until = Instant::now() + TUNNEL_LIMIT;
    let host = inner.config.key_host.borrow().clone();
    match dial(&host, TOKEN_LIMIT).await {
        Ok(mut provider) => {
            let _ = timeout_at(until, carry(&mut outlet, &mut provider)).await;
        }
        Err(error) => {
            tracing::warn!(%error, "the provider's host could not be reached for a key tunnel")
        }
    }
}

/// A failure of one side closes the other: both ends know a lost circuit from a clean end by themselves.
async fn carry(one: &mut TcpStream, other: &mut TcpStream) {
    let meter = Meter::new();
    let end = join_in_kernel(one, other, &meter).await;
    if end.is_err() {
        tokio::join!(close(one), close(other));
    }
    let traffic = meter.read();
    tracing::debug!(
        there = traffic.sent,
        back = traffic.received,
        clean = end.is_ok(),
        "a circuit ended"
    );
}

/// Closes after an upload that nobody takes any more: with bytes unread, the kernel would throw away what was written,
/// and with it the reason that the other end gave.
async fn close(tcp: &mut TcpStream) {
    let discard = async {
        let _ = tcp.shutdown().await;
        let mut scratch = vec![0; 16 * 1024];
        while let Ok(1..) = tcp.read(&mut scratch).await {}
    };
    let _ = timeout(CLOSE_LIMIT, discard).await;
}
