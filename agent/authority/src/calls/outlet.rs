//! `POST /v1/outlet`: an outlet that the signed catalogue names gets what it works by.
//! All of it but pass and beacon is root-signed: a hostile hub can keep it back and cannot alter it.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::{
        OutletAnswer, OutletRequest,
        access::{FirstUse, GrantNews},
    },
    auth::proof_input,
    event::EventKind,
    identity::VerifyKey,
    names::ServiceName,
    statement::PassRole,
};

use super::{Answer, Connection, Shared, Strict};
use crate::{
    caller::Who,
    core::{Core, handed_out},
    in_force::InForce,
    refusal::Refusal,
};

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
    let serves = |service: &ServiceName| {
        let entry = in_force.entry(service);
        entry.is_some_and(|entry| entry.served_by(&asked.identity))
    };
    core.finish(note_uses(
        Arc::clone(&core),
        in_force.clone(),
        asked.identity,
        asked.used.clone(),
    ))
    .await?;
    let grants = core.accesses.news_for(serves, core.now());
    let (entries, services) = handed_out(served);
    tracing::info!(outlet = %who.key(), services = services.len(), "outlet asked for its settings");
    Ok(Json(OutletAnswer {
        pass: core.pass(PassRole::Outlet, &who, &asked.link_key, &entries),
        services,
        policy: in_force.bundle.policies.first().cloned(),
        idp: in_force.bundle.idp.clone(),
        authority: in_force.bundle.authority.clone(),
        beacon: core.beacon_for(&who),
        grants,
    }))
}

/// When grants were first used, as this outlet says. It only shortens what others give, so its word is enough.
async fn note_uses(
    core: Arc<Core>,
    in_force: Arc<InForce>,
    outlet: VerifyKey,
    uses: Vec<FirstUse>,
) -> Result<(), Refusal> {
    let _one = core.accesses.changing.lock().await;
    let now = core.now();
    for used in uses.into_iter().take(GrantNews::MAX) {
        let Some(access) = core.accesses.one(used.grant) else {
            continue;
        };
        let entry = in_force.entry(&access.service);
        let serves = entry.is_some_and(|entry| entry.served_by(&outlet));
        if let (true, Some(next)) = (serves, access.used(used.at.min(now))) {
            core.accesses.put(&*core.store, next, now).await?;
            tracing::info!(grant = %used.grant, outlet = %outlet.peer_id(), "outlet told of a first use");
            core.record(EventKind::GrantUsed { grant: used.grant })
                .await?;
        }
    }
    Ok(())
}
