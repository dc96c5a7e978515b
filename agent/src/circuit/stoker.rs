//! Keeps the spares of one connected service ready, until it is stopped.
//! It works in the background: a failure here is never shown, the next program's own attempt tells the truth.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::names::ServiceName;
use tokio::time::{sleep, timeout};

use super::admitted::Circuit;
use super::{Admission, Asks, Circuits, Spare};
use crate::backoff::Backoff;
use crate::hub::access::Access;

/// How often idle spares are looked at: a dead one is replaced before somebody needs it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
const WARM_LIMIT: Duration = Duration::from_secs(20);

/// Runs until dropped, beginning with the spare that the probe left.
pub(crate) async fn stoke(circuits: Arc<Circuits>, service: ServiceName, Spare(first): Spare) {
    let wanted = circuits.warm.connect(&service);
    circuits.warm.put(&service, first);
    let _shelf = Cleared {
        circuits: Arc::clone(&circuits),
        service: service.clone(),
    };
    let (mut admission, mut asks) = (circuits.admission.clone(), circuits.asks.subscribe());
    let mut backoff = Backoff::new();
    loop {
        throw_stale_away(&circuits, &service);
        match refill(&circuits, &service).await {
            true => backoff.reset(),
            false => sleep(backoff.wait()).await,
        }
        tokio::select! {
            () = wanted.notified() => {}
            changed = admission.changed() => if changed.is_err() { return },
            changed = asks.changed() => if changed.is_err() { return },
            () = sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Takes the shelf down however the stoker ends.
struct Cleared {
    circuits: Arc<Circuits>,
    service: ServiceName,
}

impl Drop for Cleared {
    fn drop(&mut self) {
        self.circuits.warm.disconnect(&self.service);
    }
}

/// Spares stand on one renewal's rights and one link; when either was replaced they are not worth keeping.
fn throw_stale_away(circuits: &Circuits, service: &ServiceName) {
    let Admission::Ready(access) = circuits.admission.borrow().clone() else {
        return circuits.warm.retain(service, |_| false);
    };
    circuits.warm.retain(service, |circuit| {
        stands_on(circuit, &access, &circuits.asks.borrow()) && circuit.is_alive()
    });
}

/// Whether a circuit stands on the newest rights, on what was granted, and on a link that is up.
pub(super) fn stands_on(circuit: &Circuit, access: &Arc<Access>, asks: &Asks) -> bool {
    Arc::ptr_eq(circuit.access(), access)
        && circuit.grant() == asks.granted_id(circuit.service())
        && circuit.link_is_up()
}

async fn refill(circuits: &Circuits, service: &ServiceName) -> bool {
    while circuits.warm.missing(service) > 0 {
        let build = async { circuits.circuit(service).await?.warm().await };
        match timeout(WARM_LIMIT, build).await {
            Ok(Ok(circuit)) => circuits.warm.put(service, circuit),
            _ => return false,
        }
    }
    true
}
