//! `POST /v1/devices` and `…/of`: the devices of a person, for that person or an administrator; and taking one of one's own back.
//! What a person takes back is gone at once and for good, as if an administrator had ordered it.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::devices::{DevicesAnswer, DevicesRequest, Inquiry, InquiryRequest, MAX_DEVICES},
    auth::proof_input,
    identity::PeerId,
    names::Subject,
    statement::Statement,
};

use super::{Answer, Connection, Shared, Strict, introduce::signed_in, revoke};
use crate::{core::Core, refusal::Refusal, store::TakeBack};

pub(super) async fn own(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<DevicesRequest>,
) -> Answer<DevicesAnswer> {
    core.in_force()?;
    asked
        .identity
        .verify(&proof_input(&caller.hash), &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let sub = signed_in(&core, &asked.identity, Some(&asked.credential)).await?;
    let asked_by = asked.identity.peer_id();
    if let Some(device) = asked.revoke {
        let (sub, now) = (sub.clone(), core.now());
        let asked = TakeBack { sub, device, now };
        take_back(&core, asked_by, asked).await?;
    }
    list(&core, sub).await
}

pub(super) async fn of(
    State(core): Shared,
    Strict(asked): Strict<InquiryRequest>,
) -> Answer<DevicesAnswer> {
    let in_force = core.in_force.borrow().clone();
    let (root, org) = (&in_force.org.root, &in_force.org.org);
    let inquiry = Inquiry::verify_for(&asked.inquiry, root, org).map_err(Refusal::Revocation)?;
    let now = core.now();
    let fresh = inquiry.at.has_begun(now) && !inquiry.at.plus(Inquiry::LIFE).has_ended(now);
    if !fresh {
        return Err(Refusal::StaleInquiry);
    }
    list(&core, inquiry.sub).await
}

async fn list(core: &Core, sub: Subject) -> Answer<DevicesAnswer> {
    let most = u32::try_from(MAX_DEVICES).unwrap_or(u32::MAX);
    let devices = core.store.devices_of(&sub, most).await?;
    Ok(Json(DevicesAnswer { sub, devices }))
}

async fn take_back(core: &Arc<Core>, caller: PeerId, asked: TakeBack) -> Result<(), Refusal> {
    if !core.pace.allows(caller, asked.now) {
        return Err(Refusal::TooOften);
    }
    core.finish(revoke::take_back(Arc::clone(core), asked))
        .await
}
