//! An open inlet: accepts, admits, and serves programs until it is closed.
//! Closing drops the listeners first: the port refuses at once, while the programs inside are still being told why.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tidegate_link::{Portal, abort};
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::ServiceKind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::bind::Listeners;
use super::host::{Awaited, Host, Opener};
use super::postgres::Front;
use super::tcp;
use super::visit::VisitEnd;
use crate::platform::peer::{NotAdmitted, admit_same_user};

/// How long the programs inside may take to read their last line.
const GOODBYE: Duration = Duration::from_millis(800);
/// Programs over the limit that are told so at the same time; more are cut off.
const TURNED_AWAY: usize = 16;

/// What an inlet is made of.
pub(crate) struct InletParts {
    pub(crate) service: ServiceName,
    pub(crate) kind: ServiceKind,
    pub(crate) opener: Arc<dyn Opener>,
    pub(crate) front: Arc<Front>,
    pub(crate) awaited: watch::Receiver<Option<Awaited>>,
    pub(crate) max_connections: usize,
    /// What became of each program; dropped when nobody keeps up.
    pub(crate) ends: mpsc::Sender<VisitEnd>,
}

/// An open inlet.
pub(crate) struct Inlet {
    closed: watch::Sender<Option<Problem>>,
    task: JoinHandle<()>,
}

impl Inlet {
    /// Starts serving on listeners that were proven to be ours.
    pub(crate) fn start(listeners: Listeners, parts: InletParts) -> Self {
        let (closed, closing) = watch::channel(None);
        let host = |opener: Arc<dyn Opener>| {
            Arc::new(Host::new(
                parts.service.clone(),
                opener,
                parts.awaited.clone(),
                closing.clone(),
            ))
        };
        let serving = Serving {
            host: host(Arc::clone(&parts.opener)),
            full: host(Arc::new(Full)),
            parts,
        };
        Self {
            closed,
            task: tokio::spawn(serving.run(listeners)),
        }
    }

    /// Closes the port at once, tells the programs inside why, and waits until they have gone.
    pub(crate) async fn close(mut self, why: Problem) {
        self.closed.send_replace(Some(why));
        let _ = (&mut self.task).await;
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Refuses whoever comes when the inlet is full: the front turns that into words.
struct Full;

impl Opener for Full {
    fn open<'a>(
        &'a self,
        service: &'a ServiceName,
        _: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Portal, Problem>> + Send + 'a>> {
        Box::pin(async move { Err(Problem::new(Code::TooManyConnections).service(service)) })
    }
}

struct Serving {
    host: Arc<Host>,
    full: Arc<Host>,
    parts: InletParts,
}

impl Serving {
    async fn run(self, listeners: Listeners) {
        let mut closed = std::pin::pin!(self.host.closed());
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut closed => break,
                Some(_) = visits.join_next() => {}
                accepted = accept(&listeners) => self.admit(accepted, &mut visits),
            }
        }
        drop(listeners);
        let _ = timeout(GOODBYE, async {
            while visits.join_next().await.is_some() {}
        })
        .await;
        visits.shutdown().await;
    }

    fn admit(&self, (stream, client): (TcpStream, SocketAddr), visits: &mut JoinSet<()>) {
        let service = &self.parts.service;
        if let Err(error) = stream
            .local_addr()
            .map_err(|_| NotAdmitted::Gone)
            .and_then(|server| admit_same_user(client, server))
        {
            tracing::warn!(%service, %error, "program was turned away");
            abort(stream);
            // A program that has gone needs no answer and is nobody's news.
            if error != NotAdmitted::Gone {
                self.tell(VisitEnd::Refused(
                    Problem::new(Code::ForeignProgram).service(service),
                ));
            }
            return;
        }
        let host = match visits.len() {
            inside if inside < self.parts.max_connections => &self.host,
            inside if inside < self.parts.max_connections + TURNED_AWAY => &self.full,
            _ => return abort(stream),
        };
        let _ = stream.set_nodelay(true);
        let (host, front, kind, ends) = (
            Arc::clone(host),
            Arc::clone(&self.parts.front),
            self.parts.kind,
            self.parts.ends.clone(),
        );
        visits.spawn(async move {
            let end = match kind {
                ServiceKind::Tcp => tcp::serve(stream, &host).await,
                ServiceKind::Postgres => front.serve(stream, &host).await,
            };
            let _ = ends.try_send(end);
        });
    }

    fn tell(&self, end: VisitEnd) {
        let _ = self.parts.ends.try_send(end);
    }
}

/// The next connection on either address.
async fn accept(listeners: &Listeners) -> (TcpStream, SocketAddr) {
    loop {
        let accepted = tokio::select! {
            accepted = listeners.v4.accept() => accepted,
            accepted = accept_v6(listeners.v6.as_ref()) => accepted,
        };
        match accepted {
            Ok(accepted) => return accepted,
            // Out of descriptors, most likely: those who wait stay in the backlog.
            Err(error) => {
                tracing::warn!(%error, "inlet could not accept");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn accept_v6(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
