//! `POST /v1/revoke`: takes an order that the org root signed; nobody needs to be known to hand it in.
//! It is in force once the store has it; that the record of it fails must not keep it from those who listen.

use std::sync::Arc;

use axum::{Json, extract::State};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest},
    event::EventKind,
    statement::{Revocation, RevokeTarget, Statement, StatementError},
};

use super::{Answer, Shared, Strict};
use crate::{
    core::Core,
    refusal::Refusal,
    store::{NewRevocation, Receipt, TakeBack, TakenBack},
};

pub(super) async fn revoke(
    State(core): Shared,
    Strict(asked): Strict<RevokeRequest>,
) -> Answer<RevokeAnswer> {
    // Not `core.in_force()?`: an authority whose own statement has run out still shuts people out.
    let in_force = core.in_force.borrow().clone();
    let now = core.now();
    let order = Revocation::verify_for(&asked.revocation, &in_force.org.root, &in_force.org.org)
        .map_err(Refusal::Revocation)?;
    if !order.at.has_begun(now) {
        return Err(Refusal::Revocation(StatementError::NotYet));
    }

    let new = NewRevocation {
        id: order.id,
        who: order.who,
        at: order.at,
        jws: asked.revocation,
        now,
    };
    let receipt = core.finish(take(Arc::clone(&core), new)).await?;
    Ok(Json(RevokeAnswer {
        epoch: receipt.epoch,
    }))
}

async fn take(core: Arc<Core>, order: NewRevocation) -> Result<Receipt, Refusal> {
    let receipt = core.store.revoke(&order).await?;
    tell(&core, order.who, receipt).await?;
    Ok(receipt)
}

/// As an administrator's order would, for a person's own device.
pub(super) async fn take_back(core: Arc<Core>, asked: TakeBack) -> Result<(), Refusal> {
    match core.store.take_back(&asked).await? {
        TakenBack::Now(receipt) => tell(&core, RevokeTarget::Device(asked.device), receipt).await,
        TakenBack::Already => Ok(()),
        TakenBack::NotTheirs => Err(Refusal::NotYourDevice),
        TakenBack::TooMany => Err(Refusal::TooOften),
    }
}

async fn tell(core: &Core, who: RevokeTarget, receipt: Receipt) -> Result<(), Refusal> {
    core.beat().await?;
    if let RevokeTarget::Device(peer) = &who
        && core.in_force.borrow().has_enrolled(peer)
        && let Err(error) = core.outlets_changed().await
    {
        tracing::error!(%error, "catalogue was not renewed");
    }
    tracing::info!(
        epoch = receipt.epoch,
        again = receipt.again,
        "revocation was taken"
    );
    if !receipt.again {
        core.record(EventKind::Revoked {
            who,
            epoch: receipt.epoch,
        })
        .await?;
    }
    Ok(())
}
