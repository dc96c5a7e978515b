//! One circuit, from a relay's offer to its end: admission, a warm wait, a portal, a warm wait, …
//! Every step has a limit in time and number, and every way out of it gives back what it held.

mod admission;
mod berths;
mod grace;
mod keeping;
mod opening;
mod portal;
mod resume;
mod warm;
mod watch;

pub(crate) use berths::Berths;
pub(crate) use portal::Kind;

use crate::premises::Premises;
use crate::relays::Offer;
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::Secure;
use tidegate_proto::event::{EventKind, Peer, PortalOpened, PortalRefused};
use tidegate_proto::frame::Frame;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::Refusal;
use tidegate_proto::session::Session;
use tidegate_proto::words::words;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A peer that does not read what it is told is not told more.
const SEND_LIMIT: Duration = Duration::from_secs(2);
/// How long circuits may take to end at a shutdown, before they are ended.
const DRAIN: Duration = Duration::from_secs(4);

/// Takes offers until the outlet stops; every circuit has ended when this returns.
pub(crate) async fn serve_all(premises: Arc<Premises>, mut offers: mpsc::Receiver<Offer>) {
    let mut circuits = JoinSet::new();
    loop {
        tokio::select! {
            () = premises.stop.cancelled() => break,
            Some(_) = circuits.join_next() => {}
            Some(offer) = offers.recv() => drop(circuits.spawn(serve(Arc::clone(&premises), offer))),
        }
    }
    let goodbye = async { while circuits.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, goodbye).await.is_err() {
        tracing::warn!(left = circuits.len(), "circuits did not end by themselves");
        circuits.shutdown().await;
    }
    let unsaid = premises.refusals.unsaid();
    if unsaid > 0 {
        premises
            .record(EventKind::RefusalsNotListed { count: unsaid })
            .await;
    }
}

/// Serves one offer to its end.
async fn serve(premises: Arc<Premises>, offer: Offer) {
    let Some(service) = premises.services.get(&offer.service).cloned() else {
        return;
    };
    let Ok(_place) = Arc::clone(&premises.gates.circuits).try_acquire_owned() else {
        tracing::warn!(service = %offer.service, "circuit was not taken, there are too many");
        return;
    };
    if let Some(admitted) = admission::admit(&premises, &service, &offer).await {
        warm::serve(&premises, &service, admitted).await;
    }
}

/// Why somebody is turned away: what they learn, and what the audit keeps.
struct Turned {
    code: Code,
    text: String,
    exact: String,
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        let (_, text) = refusal.for_peer();
        Self {
            code: refusal.code,
            text,
            exact: refusal.exact.to_string(),
        }
    }
}

impl Turned {
    /// For reasons of our own, which are no secret to whoever was admitted.
    fn by_us(problem: &Problem, exact: impl ToString) -> Self {
        Self {
            code: problem.code,
            text: words(problem).line(),
            exact: exact.to_string(),
        }
    }
}

/// Writes a refusal down and then says it. Gives back whether the peer took it.
async fn turn_away(
    premises: &Premises,
    secure: &mut Secure,
    session: &Session,
    turned: Turned,
) -> bool {
    let refused = PortalRefused {
        channel: PortalOpened::channel_name(&secure.hash),
        service: session.service().clone(),
        code: turned.code,
        exact: turned.exact,
        peer: session.principal().map(Peer::from),
    };
    premises.refused(refused).await;
    say(
        secure,
        &Frame::Refused {
            code: turned.code.number(),
            text: &turned.text,
        },
    )
    .await
}

async fn say(secure: &mut Secure, frame: &Frame<'_>) -> bool {
    matches!(
        tokio::time::timeout(SEND_LIMIT, secure.send(frame)).await,
        Ok(Ok(()))
    )
}
