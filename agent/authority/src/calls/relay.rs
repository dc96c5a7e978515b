//! `GET /v1/relay`: a relay that the signed catalogue names gets what it admits by.
//! Who it is, the channel has shown: it handshook with the key that catalogue entries name, so there is nothing to ask for.

use axum::{Extension, Json, extract::State};
use tidegate_proto::api::RelayAnswer;

use super::{Answer, Connection, Shared};
use crate::{caller::Who, refusal::Refusal};

pub(super) async fn relay(
    State(core): Shared,
    Extension(caller): Connection,
) -> Answer<RelayAnswer> {
    let in_force = core.in_force()?;
    let mut services = in_force.entries_through(&caller.noise).peekable();
    if services.peek().is_none() {
        return Err(Refusal::NotARelay);
    }

    let services: Vec<_> = services.map(|entry| entry.jws.clone()).collect();
    let who = Who::Relay {
        noise: caller.noise,
    };
    caller.proved(who.clone())?;
    tracing::info!(relay = %who.key(), services = services.len(), "relay asked for its settings");
    Ok(Json(RelayAnswer {
        authority: in_force.bundle.authority.clone(),
        idp: in_force.bundle.idp.clone(),
        services,
        shut_out: core.shut_out.borrow().iter().cloned().collect(),
        beacon: core.beacon_for(&who),
    }))
}
