//! `POST /v1/outlet`: an outlet that the signed catalogue names gets what it works by.
//! All of it but pass and beacon is root-signed: a hostile hub can keep it back and cannot alter it.

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::{OutletAnswer, OutletRequest},
    auth::proof_input,
    statement::PassRole,
};

use super::{Answer, Connection, Shared, Strict};
use crate::{caller::Who, core::handed_out, refusal::Refusal};

pub(super) async fn outlet(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<OutletRequest>,
) -> Answer<OutletAnswer> {
    let in_force = core.in_force()?;
    asked
        .identity
        .verify(&proof_input(&caller.hash), &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let served: Vec<_> = in_force
        .entries
        .iter()
        .filter(|entry| entry.served_by(&asked.identity))
        .collect();
    if served.is_empty() {
        return Err(Refusal::NotAnOutlet);
    }

    let who = Who::Outlet {
        identity: asked.identity,
    };
    caller.proved(who.clone())?;
    let (entries, services) = handed_out(served);
    tracing::info!(outlet = %who.key(), services = services.len(), "outlet asked for its settings");
    Ok(Json(OutletAnswer {
        pass: core.pass(PassRole::Outlet, &who, &asked.link_key, &entries),
        services,
        policy: in_force.bundle.policies.first().cloned(),
        idp: in_force.bundle.idp.clone(),
        authority: in_force.bundle.authority.clone(),
        beacon: core.beacon_for(&who),
    }))
}
