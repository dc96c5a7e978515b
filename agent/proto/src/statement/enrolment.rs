//! `tg-enrolment`: the ticket's key vouches for a new identity key. Root → ticket → identity is the whole chain.
//! The authority must still make sure that the ticket was never used before; nothing in here can know that.

use super::{Statement, StatementError, TicketStatement, is_id, require};
use crate::{identity::VerifyKey, names::OrgName, time::UnixTime};
use serde::{Deserialize, Serialize};

/// A new identity key, vouched for by a ticket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    pub org: OrgName,
    /// The ticket's `id`.
    pub ticket: String,
    /// The identity key that is enrolled.
    pub key: VerifyKey,
    pub at: UnixTime,
}

impl Statement for Enrolment {
    const TYP: &'static str = "tg-enrolment";

    fn org(&self) -> &OrgName {
        &self.org
    }

    fn check(&self) -> Result<(), StatementError> {
        require(is_id(&self.ticket))
    }
}

/// Verifies the chain root → ticket → new identity key at `now`.
///
/// # Errors
/// What is wrong with either statement; `Ticket` when they do not belong together or the enrolment is from the future.
pub fn verify_enrolment(
    ticket: &str,
    enrolment: &str,
    root: &VerifyKey,
    org: &OrgName,
    now: UnixTime,
) -> Result<(TicketStatement, Enrolment), StatementError> {
    let ticket = TicketStatement::verify_for(ticket, root, org)?;
    ticket.valid_at(now)?;
    let enrolment = Enrolment::verify_for(enrolment, &ticket.key, org)?;
    if enrolment.ticket != ticket.id || !enrolment.at.has_begun(now) {
        return Err(StatementError::Ticket);
    }
    Ok((ticket, enrolment))
}
