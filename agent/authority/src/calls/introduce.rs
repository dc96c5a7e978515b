//! `POST /v1/introductions` and `…/step`: a new device of a signed-in person is let in by another of the same person.
//! The authority sees to it that both are the same person's and that nobody skips a step; whom the old device sees, its person compares.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::devices::{
        Introduction, IntroductionEnd, IntroductionRequest, IntroductionStep, MAX_LABEL, Sponsor,
        Step,
    },
    auth::proof_input,
    event::EventKind,
    identity::VerifyKey,
    introduction::LIFE,
    names::Subject,
    statement::{Credential, DeviceChain, Statement, Vouch},
    text::deceives,
};

use super::{Answer, Connection, Shared, Strict, credential::person};
use crate::{
    caller::Who,
    core::Core,
    refusal::Refusal,
    store::{Enrolled, Vouched},
};

pub(super) async fn introduce(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<IntroductionRequest>,
) -> Answer<Introduction> {
    let in_force = core.in_force()?;
    let idp = &in_force.org.idp;
    let key = asked.person.identity;
    key.verify(&proof_input(&caller.hash), &asked.person.proof)
        .map_err(|_| Refusal::Proof)?;
    if asked.label.len() > MAX_LABEL || asked.label.chars().any(deceives) {
        return Err(Refusal::BadLabel);
    }
    if core.store.known(&key).await?.device.is_some() {
        return Err(Refusal::AlreadyEnrolled);
    }
    let person = person(&core, &asked.person, idp).await?;
    let now = core.now();
    if !core.pace.allows(key.peer_id(), now) {
        return Err(Refusal::TooOften);
    }
    caller.proved(Who::Newcomer {
        key,
        until: now.plus(LIFE),
    })?;
    let view = Introduction {
        id: core.fresh_id(),
        newcomer: key,
        label: asked.label,
        assurance: person.assurance,
        commitment: asked.commitment,
        expires: now.plus(LIFE),
        sponsor: None,
        revealed: None,
        end: None,
    };
    tracing::info!(device = %key.peer_id(), "device asks to be introduced");
    core.introductions.begin(person.sub, view, now).map(Json)
}

pub(super) async fn step(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<IntroductionStep>,
) -> Answer<Introduction> {
    core.in_force()?;
    let key = asked.identity;
    key.verify(&proof_input(&caller.hash), &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let (id, now) = (asked.id.as_str(), core.now());
    let all = &core.introductions;
    let signed_in = async || signed_in(&core, &key, asked.credential.as_deref()).await;
    let view = match asked.step {
        Step::Compare { nonce } => {
            let sub = signed_in().await?;
            all.compare((id, &sub), Sponsor { key, nonce }, now)?
        }
        Step::Reveal { nonce } => all.reveal((id, &key), nonce, now)?,
        Step::Approve { vouch, chain } => {
            let sub = signed_in().await?;
            let compared = all.compared((id, &sub), &key, now)?;
            let new = vouched(&core, (&vouch, sub), &key, &compared)?;
            if !core.pace.allows(key.peer_id(), now) {
                return Err(Refusal::TooOften);
            }
            let taking = approve(Arc::clone(&core), asked.id.clone(), new, (vouch, chain));
            core.finish(taking).await?
        }
        Step::Decline => {
            let sub = match asked.credential {
                Some(_) => Some(signed_in().await?),
                None => None,
            };
            all.decline(id, &key, sub.as_ref(), now)?
        }
    };
    Ok(Json(view))
}

/// Enrols and says so to both sides, or leaves everything as it was. Whoever declines at the same moment is either first,
/// and nobody is enrolled, or too late, and is told so.
async fn approve(
    core: Arc<Core>,
    id: String,
    new: Vouched,
    (vouch, chain): (String, Option<DeviceChain>),
) -> Result<Introduction, Refusal> {
    let (all, now) = (&core.introductions, new.now);
    all.decide(&id, now)?;
    let device = take(&core, new).await;
    let device = device.inspect_err(|_| all.undecided(&id, now))?;
    let end = IntroductionEnd::Approved {
        device,
        vouch,
        chain,
    };
    all.end(&id, end, now)
}

/// Whose device this is: enrolled, not revoked, and let in within the last ten minutes.
pub(super) async fn signed_in(
    core: &Core,
    key: &VerifyKey,
    credential: Option<&str>,
) -> Result<Subject, Refusal> {
    let known = core.store.known(key).await?;
    let device = known.device.ok_or(Refusal::NotEnrolled)?;
    if device.revoked {
        return Err(Refusal::Revoked);
    }
    let shown = credential.ok_or(Refusal::NoIdentity)?;
    let own = core.keys.signing.verify_key();
    let credential =
        Credential::verify_for(shown, &own, &core.anchor.org).map_err(|_| Refusal::NoIdentity)?;
    let fits = credential.cnf == key.peer_id()
        && credential.sub == device.sub
        && credential.valid_at(core.now()).is_ok();
    if fits {
        Ok(device.sub)
    } else {
        Err(Refusal::NoIdentity)
    }
}

/// What is to be enrolled, if the vouch says what was compared.
fn vouched(
    core: &Core,
    (vouch, sub): (&str, Subject),
    sponsor: &VerifyKey,
    compared: &Introduction,
) -> Result<Vouched, Refusal> {
    let now = core.now();
    let vouch = Vouch::verify_for(vouch, sponsor, &core.anchor.org).map_err(Refusal::Ticket)?;
    let fits = vouch.key == compared.newcomer
        && vouch.sub == sub
        && vouch.at.has_begun(now)
        && !vouch.at.plus(Vouch::LIFE).has_ended(now);
    if !fits {
        return Err(Refusal::NoIntroduction);
    }
    Ok(Vouched {
        vouch: vouch.id,
        sub,
        identity: vouch.key,
        sponsor: *sponsor,
        label: compared.label.clone(),
        now,
    })
}

async fn take(core: &Core, new: Vouched) -> Result<String, Refusal> {
    let device = match core.store.vouch(&new).await? {
        Enrolled::New(device) | Enrolled::Again(device) => device,
        Enrolled::SponsorUnfit => return Err(Refusal::SponsorUnfit),
        Enrolled::TooManyDevices => return Err(Refusal::TooManyDevices),
        Enrolled::KeyRevoked => return Err(Refusal::Revoked),
        Enrolled::KeyTaken { same_person: true } => return Err(Refusal::AlreadyEnrolled),
        Enrolled::KeyTaken { same_person: false } => return Err(Refusal::KeyOfAnother),
        Enrolled::TicketUsed => return Err(Refusal::TicketUsed),
        Enrolled::TicketOutdated => return Err(Refusal::TicketOutdated),
    };
    core.record(EventKind::DeviceVouched {
        sub: new.sub,
        device: new.identity.peer_id(),
        by: new.sponsor.peer_id(),
        vouch: new.vouch,
    })
    .await?;
    tracing::info!(%device, "device was let in by another one");
    Ok(device)
}
