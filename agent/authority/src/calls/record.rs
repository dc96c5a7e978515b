//! `POST /v1/record/lines`: an outlet hands in what it recorded. `POST /v1/record`: a person asks what was recorded about them.
//! What is taken in is checked line by line against the chain so far; whoever asks gets the lines as they were signed.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::record::{HandIn, HandedIn, MAX_LINES, MAX_RECORDED, RecordAnswer, RecordRequest},
    auth::proof_input,
    event::{EventKind, Head},
    identity::VerifyKey,
    strict::StrictError,
};

use super::{Answer, Connection, Shared, Strict, introduce::signed_in};
use crate::{
    audit::{NotTaken, TakenIn},
    caller::Who,
    core::Core,
    refusal::Refusal,
    store::{Keeper, RecordLine},
};

pub(super) async fn hand_in(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<HandIn>,
) -> Answer<HandedIn> {
    let Some(Who::Outlet { identity }) = caller.who() else {
        return Err(Refusal::NotAnOutlet);
    };
    let in_force = core.in_force()?;
    // One that was shut out since has nothing more to say.
    if !in_force
        .entries
        .iter()
        .any(|entry| entry.served_by(&identity))
    {
        return Err(Refusal::NotAnOutlet);
    }
    if asked.lines.len() > MAX_LINES || (asked.anew && asked.lines.is_empty()) {
        return Err(Refusal::Malformed(StrictError::Size));
    }
    if asked.anew && !core.pace.allows(identity.peer_id(), core.now()) {
        return Err(Refusal::TooOften);
    }
    let taken = core
        .finish(take(Arc::clone(&core), identity, asked))
        .await?;
    Ok(Json(HandedIn {
        seq: taken.seq,
        digest: taken.digest,
    }))
}

async fn take(core: Arc<Core>, outlet: VerifyKey, asked: HandIn) -> Result<Head, Refusal> {
    let gathered = Arc::clone(&core.gathered);
    let taking =
        tokio::task::spawn_blocking(move || gathered.take(&outlet, asked.lines, asked.anew));
    let taken: Result<TakenIn, NotTaken> = taking.await.map_err(|_| Refusal::Panicked)?;
    let TakenIn {
        head,
        events,
        before,
    } = taken?;
    if let Some(kept) = before.filter(|kept| *kept > 0) {
        let outlet = outlet.peer_id();
        tracing::warn!(%outlet, kept, "an outlet's record was begun anew; the old one is kept beside it");
        core.record(EventKind::AuditBegunAnew { outlet, kept })
            .await?;
    }
    let lines: Vec<_> = events
        .into_iter()
        .map(|(line, event)| RecordLine::of(line, &event.what))
        .collect();
    core.show_later(Keeper::Outlet(outlet), &lines).await;
    Ok(head)
}

pub(super) async fn recorded(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<RecordRequest>,
) -> Answer<RecordAnswer> {
    core.in_force()?;
    asked
        .identity
        .verify(&proof_input(&caller.hash), &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let sub = signed_in(&core, &asked.identity, Some(&asked.credential)).await?;
    if !core
        .pace_of_looks
        .allows(asked.identity.peer_id(), core.now())
    {
        return Err(Refusal::TooOften);
    }
    let most = asked.most.clamp(1, MAX_RECORDED);
    let mut entries = core.store.recorded(&sub, asked.before, most + 1).await?;
    let more = entries.len() > most as usize;
    entries.truncate(most as usize);
    Ok(Json(RecordAnswer { entries, more }))
}
