//! `POST /v1/credential`: all three legs at once, device, person and org, before ten minutes of credential are given.
//! The outlet makes the same checks again and believes none of ours; ours keep the catalogue and the relays from strangers.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use tidegate_proto::{
    api::{CredentialAnswer, CredentialRequest},
    auth::proof_input,
    event::EventKind,
    idtoken::{IdTokenError, Person, verify_pair},
    principal::{DeviceProof, Joined, Principal},
    session::GRACE,
    statement::{Assurance, Credential, IdpStatement, PassRole, Statement},
    time::UnixTime,
};

use super::{Answer, Connection, Shared, Strict};
use crate::{
    caller::Who,
    core::{Core, handed_out},
    refusal::Refusal,
    store::Device,
};

pub(super) async fn credential(
    State(core): Shared,
    Extension(caller): Connection,
    Strict(asked): Strict<CredentialRequest>,
) -> Answer<CredentialAnswer> {
    let in_force = core.in_force()?;
    let idp = &in_force.org.idp;
    // 3: the device. Nothing costly happens for somebody who does not hold the key.
    let proof = proof_input(&caller.hash);
    asked
        .identity
        .verify(&proof, &asked.proof)
        .map_err(|_| Refusal::Proof)?;
    let (device, _) = standing(&core, &asked).await?;
    // 5, 6: the person.
    let person = person(&core, &asked, idp).await?;
    if person.sub != device.sub {
        return Err(Refusal::OtherSubject);
    }
    // Read again: the provider may have taken its time, and a revocation may have come in.
    let (device, epoch) = standing(&core, &asked).await?;

    let now = core.now();
    if !core.pace.allows(asked.identity.peer_id(), now) {
        return Err(Refusal::TooOften);
    }
    let session_ends = person.auth_time.plus(idp.max_session);
    let credential = issue(
        &core,
        &asked,
        (&device, epoch),
        (now, session_ends),
        person.assurance,
    );
    let principal = Principal {
        enrolment: DeviceProof::Proved, // by ourselves, when it was enrolled
        joined: if device.let_in {
            Joined::Approval
        } else {
            Joined::Ticket
        },
        ..Principal::new(&credential, &person)
    };
    let (entries, services) = handed_out(in_force.visible(&principal, now));
    let who = Who::Agent {
        sub: device.sub.clone(),
        device: credential.cnf,
        epoch,
        // Whoever does not come back for a newer one is not told of others' requests for longer.
        until: session_ends.min(credential.not_after.min(person.expires).plus(GRACE)),
        principal: Arc::new(principal.clone()),
    };
    caller.proved(who.clone())?;
    core.record(issued(&credential)).await?;
    if let Err(error) = core.store.saw(&asked.identity, now).await {
        // Only for people: nobody is kept out for it.
        tracing::warn!(%error, "device was not noted as seen");
    }
    tracing::info!(device = %device.name, services = services.len(), "credential was issued");

    Ok(Json(CredentialAnswer {
        credential: credential.sign(&core.keys.signing),
        pass: core.pass(PassRole::Agent, &who, &asked.link_key, &entries),
        services,
        beacon: core.beacon_for(&who),
        expires: credential.not_after,
        askable: in_force.askable(&principal, now),
    }))
}

/// The device as it stands now, and the epoch of that moment.
async fn standing(core: &Core, asked: &CredentialRequest) -> Result<(Device, u64), Refusal> {
    let known = core.store.known(&asked.identity).await?;
    let device = known.device.ok_or(Refusal::NotEnrolled)?;
    if device.revoked {
        Err(Refusal::Revoked)
    } else {
        Ok((device, known.epoch))
    }
}

/// Verifies the ID tokens; asks the provider for newer keys if one names a key nobody knows.
pub(super) async fn person(
    core: &Core,
    asked: &CredentialRequest,
    idp: &IdpStatement,
) -> Result<Person, Refusal> {
    let verify = |keys: &_| {
        let newer = asked.id_token_n.as_deref();
        verify_pair(
            &asked.id_token_0,
            newer,
            &asked.rz,
            &asked.identity,
            idp,
            keys,
            core.now(),
        )
    };
    let keys = core
        .provider
        .current(idp, core.now())
        .await
        .map_err(|_| Refusal::KeysAway)?;
    match verify(&*keys) {
        Err(IdTokenError::UnknownKey) => {}
        other => return other.map_err(Refusal::IdToken),
    }
    let newer = core.provider.newer_than(&keys, idp, core.now()).await;
    let keys = newer.ok_or(Refusal::IdToken(IdTokenError::UnknownKey))?;
    verify(&*keys).map_err(Refusal::IdToken)
}

fn issue(
    core: &Core,
    asked: &CredentialRequest,
    (device, epoch): (&Device, u64),
    (now, session_ends): (UnixTime, UnixTime),
    assurance: Assurance,
) -> Credential {
    Credential {
        org: core.anchor.org.clone(),
        sub: device.sub.clone(),
        cnf: asked.identity.peer_id(),
        device: device.name.clone(),
        epoch,
        assurance,
        not_before: now,
        not_after: now.plus(Credential::LIFE).min(session_ends),
        id: core.fresh_id(),
    }
}

fn issued(credential: &Credential) -> EventKind {
    EventKind::CredentialIssued {
        sub: credential.sub.clone(),
        device: credential.cnf,
        id: credential.id.clone(),
    }
}
