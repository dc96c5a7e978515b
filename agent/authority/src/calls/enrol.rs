//! `POST /v1/enrol`: a one-time ticket makes a new key a device of one person.
//! That the ticket was never used before is decided in the store's transaction, and nowhere else.

use std::sync::Arc;

use axum::{Json, extract::State};
use tidegate_proto::{
    api::{EnrolAnswer, EnrolRequest},
    event::EventKind,
    statement::{
        Enrolment, Statement, StatementError, TicketKind, TicketStatement, VerifiedOrg,
        verify_enrolment,
    },
    time::UnixTime,
};

use super::{Answer, Shared, Strict};
use crate::{
    core::Core,
    refusal::Refusal,
    store::{Enrolled, NewDevice},
};

pub(super) async fn enrol(
    State(core): Shared,
    Strict(asked): Strict<EnrolRequest>,
) -> Answer<EnrolAnswer> {
    let in_force = core.in_force()?;
    let now = core.now();
    let org = &in_force.org;
    let verified = verify_enrolment(&asked.ticket, &asked.enrolment, &org.root, &org.org, now);
    let (ticket, enrolment) = verified.map_err(|error| why(&asked, org, now, error))?;
    // Outlets are named by key in the signed catalogue; a ticket for one would add nothing that anybody believes.
    let TicketKind::Device { sub } = ticket.kind else {
        return Err(Refusal::OutletTicket);
    };
    if !core.pace.allows(enrolment.key.peer_id(), now) {
        return Err(Refusal::TooOften);
    }

    let new = NewDevice {
        ticket: ticket.id,
        ticket_at: ticket.at,
        sub,
        identity: enrolment.key,
        now,
    };
    let device = core.finish(take(Arc::clone(&core), new)).await?;
    Ok(Json(EnrolAnswer { device }))
}

/// A clock that is wrong is told apart: the link is good, and a new one would not help.
fn why(asked: &EnrolRequest, org: &VerifiedOrg, now: UnixTime, error: StatementError) -> Refusal {
    let at = || {
        let ticket = TicketStatement::verify_for(&asked.ticket, &org.root, &org.org).ok()?;
        Enrolment::verify_for(&asked.enrolment, &ticket.key, &org.org)
            .ok()
            .map(|enrolment| enrolment.at)
    };
    match error {
        StatementError::Ticket if at().is_some_and(|at| !at.has_begun(now)) => {
            Refusal::FromTheFuture
        }
        error => Refusal::Ticket(error),
    }
}

async fn take(core: Arc<Core>, new: NewDevice) -> Result<String, Refusal> {
    let device = match core.store.enrol(&new).await? {
        Enrolled::New(device) | Enrolled::Again(device) => device,
        Enrolled::SponsorUnfit => return Err(Refusal::SponsorUnfit),
        Enrolled::TicketUsed => return Err(Refusal::TicketUsed),
        Enrolled::TicketOutdated => return Err(Refusal::TicketOutdated),
        Enrolled::KeyRevoked => return Err(Refusal::Revoked),
        Enrolled::KeyTaken { same_person: true } => return Err(Refusal::AlreadyEnrolled),
        Enrolled::KeyTaken { same_person: false } => return Err(Refusal::KeyOfAnother),
    };
    // Recorded again when asked again: the first answer may have been lost for want of this very record.
    let peer = new.identity.peer_id();
    core.record(EventKind::DeviceEnrolled {
        sub: new.sub,
        device: peer,
        ticket: new.ticket,
    })
    .await?;
    tracing::info!(%device, "device was enrolled");
    Ok(device)
}
