//! `POST /v1/enrol`: a one-time ticket makes a new key a device of one person, or an outlet of one service.
//! That the ticket was never used before is decided in the store's transaction, and nowhere else.

use std::sync::Arc;

use axum::{Json, extract::State};
use tidegate_proto::{
    api::{EnrolAnswer, EnrolRequest},
    event::EventKind,
    identity::{PeerId, VerifyKey},
    names::ServiceName,
    statement::{
        Enrolment, Statement, StatementError, TicketKind, TicketStatement, VerifiedOrg,
        verify_enrolment, verify_outlet_enrolment,
    },
    time::UnixTime,
};

use super::{Answer, Shared, Strict};
use crate::{
    core::Core,
    in_force::InForce,
    refusal::Refusal,
    store::{Enrolled, NewDevice, NewOutlet},
};

pub(super) async fn enrol(
    State(core): Shared,
    Strict(asked): Strict<EnrolRequest>,
) -> Answer<EnrolAnswer> {
    let in_force = core.in_force()?;
    let now = core.now();
    let org = &in_force.org;
    if let Some(new) = outlet(&in_force, &asked, now)? {
        paced(&core, new.keys.identity.peer_id(), now)?;
        let device = core.finish(take_outlet(Arc::clone(&core), new)).await?;
        return Ok(Json(EnrolAnswer { device }));
    }
    let verified = verify_enrolment(&asked, &org.root, &org.org, now);
    let (ticket, enrolment) = verified.map_err(|error| why(&asked, org, now, error))?;
    let (TicketKind::Device { sub }, None) = (ticket.kind, enrolment.noise) else {
        return Err(Refusal::OutletTicket);
    };
    paced(&core, enrolment.key.peer_id(), now)?;

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

fn paced(core: &Core, peer: PeerId, now: UnixTime) -> Result<(), Refusal> {
    match core.pace.allows(peer, now) {
        true => Ok(()),
        false => Err(Refusal::TooOften),
    }
}

/// The outlet that this enrols, if it is a ticket by which some service takes outlets.
fn outlet(
    in_force: &InForce,
    asked: &EnrolRequest,
    now: UnixTime,
) -> Result<Option<NewOutlet>, Refusal> {
    let Some(ticket) = outlet_ticket(in_force, &asked.ticket) else {
        return Ok(None);
    };
    for entry in &in_force.entries {
        let statement = &entry.statement;
        let taken = statement.enrolment.as_ref();
        let by = taken.is_some_and(|taken| taken.keys.contains(&ticket.signer));
        if !by || ticket.service != statement.service {
            continue;
        }
        let (ticket, keys) =
            verify_outlet_enrolment(asked, statement, now).map_err(Refusal::Ticket)?;
        return Ok(Some(NewOutlet {
            ticket: ticket.id,
            service: statement.service.clone(),
            keys,
            chain: asked.clone(),
            now,
        }));
    }
    Ok(None)
}

/// A ticket for an outlet of this service, by a key of which some service takes tickets.
struct OutletTicket {
    service: ServiceName,
    signer: VerifyKey,
}

/// Anybody may ask, and nobody is known yet: each key is tried once, however many services name it.
fn outlet_ticket(in_force: &InForce, ticket: &str) -> Option<OutletTicket> {
    in_force.ticket_keys.iter().find_map(|signer| {
        let ticket = TicketStatement::verify_for(ticket, signer, &in_force.org.org).ok()?;
        match ticket.kind {
            TicketKind::Outlet { service } => Some(OutletTicket {
                service,
                signer: *signer,
            }),
            TicketKind::Device { .. } => None,
        }
    })
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

/// The catalogue names the outlet from here on; whoever listens is told.
async fn take_outlet(core: Arc<Core>, new: NewOutlet) -> Result<String, Refusal> {
    let outlet = named(core.store.enrol_outlet(&new).await?)?;
    core.record(EventKind::OutletEnrolled {
        service: new.service.clone(),
        outlet: new.keys.identity.peer_id(),
        ticket: new.ticket,
    })
    .await?;
    if let Err(error) = core.outlets_changed().await {
        tracing::error!(%error, "catalogue was not renewed");
        return Err(Refusal::Lapsed);
    }
    tracing::info!(%outlet, service = %new.service, "outlet was enrolled");
    Ok(outlet)
}

fn named(enrolled: Enrolled) -> Result<String, Refusal> {
    match enrolled {
        Enrolled::New(name) | Enrolled::Again(name) => Ok(name),
        Enrolled::SponsorUnfit => Err(Refusal::SponsorUnfit),
        Enrolled::TooManyDevices => Err(Refusal::TooManyDevices),
        Enrolled::TicketUsed => Err(Refusal::TicketUsed),
        Enrolled::TicketOutdated => Err(Refusal::TicketOutdated),
        Enrolled::KeyRevoked => Err(Refusal::Revoked),
        Enrolled::KeyTaken { same_person: true } => Err(Refusal::AlreadyEnrolled),
        Enrolled::KeyTaken { same_person: false } => Err(Refusal::KeyOfAnother),
    }
}

async fn take(core: Arc<Core>, new: NewDevice) -> Result<String, Refusal> {
    let device = named(core.store.enrol(&new).await?)?;
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
