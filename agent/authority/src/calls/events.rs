//! `GET /v1/events`: server-sent events for a caller that has proved itself on this connection.
//! Who listens late misses nothing: each event says how things are, not what happened.

use std::convert::Infallible;
use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures_util::stream;
use http::header;
use tidegate_proto::api::event;
use tokio::sync::watch;

use super::{Connection, Shared};
use crate::{
    caller::{Caller, Who},
    core::Core,
    in_force::InForce,
    refusal::Refusal,
    signs::Signs,
};

pub(super) async fn events(
    State(core): Shared,
    Extension(caller): Connection,
) -> Result<Response, Refusal> {
    let who = caller.who().ok_or(Refusal::NoIdentity)?;
    caller.streaming.send_replace(true);
    let listener = Listener::new(core, caller, who);
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from_stream(events));
    Ok(response.expect("the headers are constants"))
}

/// One stream of events.
struct Listener {
    core: Arc<Core>,
    /// Keeps the connection marked as streaming while we send.
    caller: Arc<Caller>,
    who: Who,
    signs: watch::Receiver<Arc<Signs>>,
    in_force: watch::Receiver<Arc<InForce>>,
    over: bool,
}

impl Listener {
    fn new(core: Arc<Core>, caller: Arc<Caller>, who: Who) -> Self {
        let mut signs = core.signs.subscribe();
        signs.mark_changed(); // the first beacon at once
        let in_force = core.in_force.subscribe();
        Self {
            core,
            caller,
            who,
            signs,
            in_force,
            over: false,
        }
    }

    /// The next event; `None` when there will be no more.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over || self.has_expired() {
            return None;
        }
        // Both senders live in `core`, which we hold: `changed` cannot fail.
        tokio::select! {
            biased;
            () = self.core.draining.cancelled() => None,
            _ = self.signs.changed() => Some(self.beacon()),
            _ = self.in_force.changed() => {
                self.in_force.mark_unchanged();
                self.changed()
            }
        }
    }

    fn beacon(&mut self) -> Bytes {
        let signs = self.signs.borrow_and_update().clone();
        // Whoever was shut out learns that, and nothing more.
        self.over = match &self.who {
            Who::Agent { epoch, .. } => signs.shuts_out(&self.who, *epoch),
            Who::Outlet { .. } => false,
        };
        line(event::BEACON, &signs.for_caller(&self.core.keys, &self.who))
    }

    fn changed(&mut self) -> Option<Bytes> {
        if let Who::Outlet { identity } = &self.who {
            // One that left the catalogue must ask again, and will be refused.
            self.over = !self
                .core
                .in_force
                .borrow()
                .entries
                .iter()
                .any(|entry| entry.served_by(identity));
        }
        Some(line(event::CHANGED, ""))
    }

    fn has_expired(&self) -> bool {
        match &self.who {
            Who::Agent { until, .. } => *until <= self.core.now(),
            Who::Outlet { .. } => false,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.caller.streaming.send_replace(false);
    }
}

fn line(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
