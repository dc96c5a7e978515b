//! `POST /v1/revoke`: takes an order that the org root signed; nobody needs to be known to hand it in.
//! It is in force once the store has it; that the record of it fails must not keep it from those who listen.

use std::sync::Arc;

use axum::{Json, extract::State};
use tidegate_proto::{
    api::{RevokeAnswer, RevokeRequest, access::Named},
    event::EventKind,
    statement::{Revocation, RevokeTarget, Statement, StatementError},
    text::Shown,
};

use super::{Answer, Shared, Strict};
use crate::{
    core::Core,
    refusal::Refusal,
    store::{NewRevocation, Receipt, TakeBack, TakenBack},
};

/// As requesters and approvers are told who did it.
const ADMINISTRATOR: &str = "an administrator";

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
    // Whoever holds the root key signs no name.
    let administrator = Named {
        sub: ADMINISTRATOR.parse().map_err(|_| Refusal::Panicked)?,
        name: Some(Shown::new(ADMINISTRATOR)),
    };
    tell(&core, order.who, administrator, receipt).await?;
    Ok(receipt)
}

/// As an administrator's order would, for a person's own device.
pub(super) async fn take_back(core: Arc<Core>, asked: TakeBack) -> Result<(), Refusal> {
    match core.store.take_back(&asked).await? {
        TakenBack::Now(receipt) => {
            let by = Named {
                sub: asked.sub,
                name: None,
            };
            tell(&core, RevokeTarget::Device(asked.device), by, receipt).await
        }
        TakenBack::Already => Ok(()),
        TakenBack::NotTheirs => Err(Refusal::NotYourDevice),
        TakenBack::TooMany => Err(Refusal::TooOften),
    }
}

/// What such a person asked for or approved counts no more, and outlets hear so for as long as they must: the list in a
/// beacon forgets sooner than an approval ends. That one of them fails keeps nothing else from ending.
async fn end_accesses(core: &Core, who: &RevokeTarget, by: &Named) {
    let _one = core.accesses.changing.lock().await;
    let now = core.now();
    for access in core.accesses.all() {
        let Some(next) = access.without(who, by.clone(), now) else {
            continue;
        };
        let (grant, ended) = (next.id, next.is_taken_back());
        if let Err(error) = core.accesses.put(&*core.store, next, now).await {
            tracing::error!(%grant, %error, "a grant of somebody who was shut out was not taken back");
            continue;
        }
        if ended
            && let Err(error) = core
                .record(EventKind::GrantTakenBack { grant, by: None })
                .await
        {
            tracing::error!(%grant, %error, "the end of a grant was not recorded");
        }
    }
}

async fn tell(core: &Core, who: RevokeTarget, by: Named, receipt: Receipt) -> Result<(), Refusal> {
    core.beat().await?;
    end_accesses(core, &who, &by).await;
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
