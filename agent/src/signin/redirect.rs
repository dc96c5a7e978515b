//! The listener on 127.0.0.1 that catches the browser on its way back from the provider, once.
//! A wrong or missing `state` ends nothing: else any web page could end a sign-in. It is told what it is, and counted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::page::Page;
use super::porch::{Place, Porch};
use super::request::{Asked, MAX_HEAD, Query, parse};
use crate::platform::holder::{Holder, holder_of};
use crate::platform::peer::{NotAdmitted, admit_same_user};

/// A browser sends its request at once; whoever is slower is not one.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// How long the tab waits for the outcome before it says "almost there".
const OUTCOME_LIMIT: Duration = Duration::from_secs(15);
/// How long the listener stays after the outcome is known, for a tab that came back and waits for it.
const FAREWELL: Duration = Duration::from_secs(2);
/// The same for a tab that is still at the provider: it may come back to a sign-in that was cancelled.
const LATE: Duration = Duration::from_secs(300);
/// Connections served at the same time; more wait in the backlog.
const MAX_CONNECTIONS: usize = 16;

/// What the provider answered. Holds the code: no `Debug`.
pub(crate) enum Callback {
    Code(Zeroizing<String>),
    /// The `error` parameter, RFC 6749 §4.1.2.1. Foreign text: for matching only.
    Error(String),
}

/// All registered ports are taken, with whoever holds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all registered redirect ports are taken")]
pub(crate) struct PortsTaken(pub(crate) Vec<(u16, Option<Holder>)>);

/// A bound port, not yet answering: its number goes into the redirect URI.
pub(crate) struct Redirect {
    listener: TcpListener,
    port: u16,
    place: Place,
}

impl Redirect {
    /// Takes the first free of the registered ports.
    ///
    /// # Errors
    /// When all are taken.
    pub(crate) async fn bind(ports: &[u16], place: Place) -> Result<Self, PortsTaken> {
        let mut taken = Vec::new();
        for &port in ports {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                Ok(listener) => {
                    let port = listener.local_addr().map_or(port, |address| address.port());
                    return Ok(Self {
                        listener,
                        port,
                        place,
                    });
                }
                Err(_) => taken.push((port, holder_of(port))),
            }
        }
        Err(PortsTaken(taken))
    }

    /// The redirect URI to name at the provider: exactly as registered there.
    pub(crate) fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Starts answering. `state` is what we sent; `issuer` is who may answer (RFC 9207).
    pub(crate) fn answer(self, state: Zeroizing<String>, issuer: String) -> Answering {
        let (caught_in, caught) = oneshot::channel();
        let (outcome, outcome_out) = watch::channel(None);
        let desk = Arc::new(Desk {
            port: self.port,
            state,
            issuer,
            porch: self.place.porch.clone(),
            caught: Mutex::new(Some(caught_in)),
            outcome: outcome_out,
            seen: watch::Sender::new(false),
            strays: AtomicU32::new(0),
        });
        let stop = CancellationToken::new();
        let leave = self.place.leave.clone();
        let task = tokio::spawn(serve(
            self.place,
            self.listener,
            Arc::clone(&desk),
            stop.clone(),
        ));
        Answering {
            caught,
            outcome,
            desk,
            leave,
            stop,
            task,
        }
    }
}

/// The listener at work. Dropping it closes the port.
pub(crate) struct Answering {
    caught: oneshot::Receiver<Callback>,
    outcome: watch::Sender<Option<Page>>,
    desk: Arc<Desk>,
    leave: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Answering {
    /// Waits for the one valid answer. `None` when the listener broke.
    pub(crate) async fn callback(&mut self) -> Option<Callback> {
        (&mut self.caught).await.ok()
    }

    /// Whether answers came that belong to other sign-ins.
    pub(crate) fn has_seen_strays(&self) -> bool {
        self.desk.strays.load(Ordering::Relaxed) > 0
    }

    /// Tells the tab what became of it, then closes the port: the tab that waits, or the one that may still come, for as long as nobody needs the port.
    pub(crate) async fn finish(mut self, page: Page) {
        let came = self.desk.is_taken();
        let later = if came {
            Page::used_before()
        } else {
            page.clone()
        };
        self.desk.porch.remember(&self.desk.state, later);
        self.outcome.send_replace(Some(page));
        let mut seen = self.desk.seen.subscribe();
        let patience = if came { FAREWELL } else { LATE };
        tokio::select! {
            // Whether the tab fetched its page or was closed early: the port closes.
            _ = timeout(patience, seen.wait_for(|seen| *seen)) => {}
            () = self.leave.cancelled(), if !came => {}
        }
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every connection may look at.
struct Desk {
    port: u16,
    state: Zeroizing<String>,
    issuer: String,
    porch: Porch,
    /// Empty once the answer was taken: there is no second one.
    caught: Mutex<Option<oneshot::Sender<Callback>>>,
    outcome: watch::Receiver<Option<Page>>,
    seen: watch::Sender<bool>,
    /// Answers to other sign-ins.
    strays: AtomicU32,
}

/// `place` comes first so that it is dropped last: whoever waits for it finds the port free.
async fn serve(place: Place, listener: TcpListener, desk: Arc<Desk>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                let Ok((stream, client)) = accepted else { continue };
                if is_foreign(&stream, client) {
                    continue;
                }
                let desk = Arc::clone(&desk);
                connections.spawn(async move { desk.serve(stream).await });
            }
        }
    }
    drop((listener, place));
    // Whoever is in the middle of reading its page may finish; the rest is cut off.
    let _ = timeout(Duration::from_millis(500), async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

/// Another user of this computer has no business here and could fill all places. Unknown is not foreign: `state` decides.
fn is_foreign(stream: &TcpStream, client: SocketAddr) -> bool {
    let server = stream.local_addr();
    server.is_ok_and(|server| admit_same_user(client, server) == Err(NotAdmitted::OtherUser))
}

impl Desk {
    async fn serve(&self, mut stream: TcpStream) {
        let Ok(Some(head)) = timeout(REQUEST_LIMIT, read_head(&mut stream)).await else {
            return;
        };
        let reply = self.reply(&head).await;
        let _ = timeout(REQUEST_LIMIT, async {
            stream.write_all(reply.as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
    }

    async fn reply(&self, head: &[u8]) -> String {
        match parse(head, self.port) {
            Err(bad) => response(bad.status(), "", &Page::not_here()),
            Ok(Asked::Elsewhere) => response("404 Not Found", "", &Page::not_here()),
            Ok(Asked::Callback(query)) => self.take(query),
            Ok(Asked::Done) => self.done().await,
        }
    }

    /// Takes the first answer that carries our state; nothing else moves the flow.
    fn take(&self, query: Query) -> String {
        let ours = query
            .state
            .as_ref()
            .is_some_and(|s| bool::from(s.as_bytes().ct_eq(self.state.as_bytes())));
        let right_issuer = query.iss.as_ref().is_none_or(|iss| iss == &self.issuer);
        let callback = match (query.code, query.error) {
            (Some(code), None) => Callback::Code(code),
            (None, Some(error)) => Callback::Error(error),
            _ => return response("400 Bad Request", "", &Page::not_here()),
        };
        if !ours || !right_issuer {
            return self.stray(query.state.as_ref().map(|state| state.as_str()));
        }
        let first = self
            .caught
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(caught) = first else {
            return response("410 Gone", "", &Page::used_before());
        };
        // Nobody takes it when the sign-in has ended meanwhile: then the tab learns how.
        let _ = caught.send(callback);
        // The code leaves the address bar and the history with this redirect.
        response(
            "303 See Other",
            "Location: /done\r\n",
            &Page::still_working(),
        )
    }

    /// An answer to another sign-in: one of ours that is over, or none of ours.
    fn stray(&self, state: Option<&str>) -> String {
        self.strays.fetch_add(1, Ordering::Relaxed);
        match state.and_then(|state| self.porch.recall(state)) {
            Some(page) => response("410 Gone", "", &page),
            None => response("400 Bad Request", "", &Page::of_another()),
        }
    }

    fn is_taken(&self) -> bool {
        self.caught
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    async fn done(&self) -> String {
        if !self.is_taken() {
            return response("404 Not Found", "", &Page::not_here());
        }
        let mut outcome = self.outcome.clone();
        let known = timeout(OUTCOME_LIMIT, outcome.wait_for(Option::is_some)).await;
        let page = match known {
            Ok(Ok(page)) => page.clone(),
            _ => None,
        };
        self.seen.send_replace(true);
        response("200 OK", "", &page.unwrap_or_else(Page::still_working))
    }
}

/// Reads up to the empty line; `None` when it does not come within the limits.
async fn read_head(stream: &mut TcpStream) -> Option<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(Vec::with_capacity(MAX_HEAD));
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte_room = [0; 1024];
        let room = (MAX_HEAD - head.len()).min(byte_room.len());
        let read = stream.read(byte_room.get_mut(..room)?).await.ok()?;
        if read == 0 {
            return None;
        }
        head.extend_from_slice(byte_room.get(..read)?);
    }
    Some(head)
}

fn response(status: &str, headers: &str, page: &Page) -> String {
    let html = page.html();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{html}",
        html.len(),
    )
}

#[cfg(test)]
mod tests;
