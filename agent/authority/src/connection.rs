//! One connection of the API: hello, handshake, HTTP/1.1, and its end by whatever comes first.
//! It spawns nothing: when `serve` returns, nothing of the connection is left.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tidegate_link::{Doorstep, Guest, LinkError, SecureStream, api_link, respond, tune};
use tidegate_proto::{channel::Prologue, identity::NoisePublic};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    caller::{Caller, Guests},
    calls::router,
    core::Core,
    patience::Patient,
    refusal::Refusal,
};

/// One request, with the provider asked twice in it.
const REQUEST: Duration = Duration::from_secs(45);
/// A connection that sends no events.
const LIFE: Duration = Duration::from_secs(120);
/// A connection that does; then it is made anew.
const STREAM: Duration = Duration::from_secs(12 * 3600);
/// Between the headers of one request.
const HEADERS: Duration = Duration::from_secs(10);
/// A peer that takes no bytes.
const STALL: Duration = Duration::from_secs(20);
/// From the word to drain until the connection is dropped.
const DRAIN: Duration = Duration::from_secs(2);
/// One request's headers, in bytes and in number.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 32;
/// Connections in the handshake.
const NEWCOMERS: usize = 256;
/// Connections on which nobody has proved who they are.
const STRANGERS: usize = 512;

/// Where connections begin.
pub(crate) struct Door {
    newcomers: Arc<Doorstep>,
    strangers: Arc<Doorstep>,
    guests: Arc<Guests>,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self {
            newcomers: Doorstep::new(NEWCOMERS),
            strangers: Doorstep::new(STRANGERS),
            guests: Arc::default(),
        }
    }

    /// Serves a connection whose preface has been read, to its end.
    pub(crate) async fn serve(
        &self,
        core: &Arc<Core>,
        tcp: TcpStream,
        guest: Guest,
    ) -> Result<(), LinkError> {
        let guest = guest.move_on(&self.newcomers);
        let (stream, peer) = tokio::select! {
            biased;
            () = core.draining.cancelled() => return Ok(()),
            introduced = guest.within(introduce(core, tcp)) => introduced?,
        };
        // A handshake proves no more than that there is a computer; the next proof may take longer, so it waits elsewhere.
        let stranger = guest.move_on(&self.strangers);
        let caller = Arc::new(Caller::new(stream.hash, peer, Arc::clone(&self.guests)));
        // Boxed: a stranger who stays in the handshake must not take up the room of a conversation.
        Box::pin(speak(core, caller, stream, stranger)).await;
        Ok(())
    }
}

/// The stream, and the key that the other end has proven to hold: for most callers it means nothing.
async fn introduce(
    core: &Core,
    mut tcp: TcpStream,
) -> Result<(SecureStream, NoisePublic), LinkError> {
    tune(&tcp)?;
    let in_force = core.in_force.borrow().clone();
    api_link::say_hello(&mut tcp, &in_force.hello).await?;
    drop(in_force);
    let prologue = |suite| Prologue::api(suite, core.anchor.org.clone());
    let secure = respond(tcp, prologue, &core.keys.noise).await?;
    let peer = secure.peer;
    Ok((secure.into_stream(), peer))
}

/// HTTP until the peer is done, the time is up, the place is needed, or we drain.
async fn speak(core: &Arc<Core>, caller: Arc<Caller>, stream: SecureStream, stranger: Guest) {
    let calls = TowerToHyperService::new(router(Arc::clone(core), Arc::clone(&caller)));
    let service = service_fn(|request| bounded(&calls, request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let mut serving =
        pin!(http.serve_connection(TokioIo::new(Patient::new(stream, STALL)), service));

    // How it ends is the peer's affair: a reset is as good as a close.
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        () = core.draining.cancelled() => {}
        () = is_over(&caller, stranger) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = timeout(DRAIN, serving).await;
}

/// Ends when a connection has lived long enough.
async fn is_over(caller: &Caller, stranger: Guest) {
    let began = Instant::now();
    tokio::select! {
        biased;
        () = caller.is_proved() => drop(stranger),
        () = stranger.gone() => return,
        () = sleep_until(began + LIFE) => return,
    }
    let mut streaming = caller.streaming.subscribe();
    loop {
        let life = if *streaming.borrow_and_update() {
            STREAM
        } else {
            LIFE
        };
        tokio::select! {
            _ = streaming.changed() => {}
            () = sleep_until(began + life) => return,
        }
    }
}

type Calls = TowerToHyperService<axum::Router>;

async fn bounded(calls: &Calls, request: Request<Incoming>) -> Result<Response, Infallible> {
    let answer = hyper::service::Service::call(calls, request);
    match timeout(REQUEST, answer).await {
        Ok(answered) => answered,
        Err(_) => Ok(Refusal::TooSlow.into_response()),
    }
}
