//! `tg-enrolment`: the ticket's key vouches for a new identity key. Root → ticket → identity is the whole chain.
//! A chain proves that a ticket stands behind a key, not that it was used once only: that is the authority's to see to.

use super::{
    OutletKeys, ServiceStatement, Statement, StatementError, TicketKind, TicketStatement, is_id,
    require,
};
use crate::{
    identity::{NoisePublic, VerifyKey},
    names::{OrgName, Subject},
    time::UnixTime,
};
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
    /// Of an outlet: how it is spoken to. A device has none: its Noise keys are made at each start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoisePublic>,
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

impl Enrolment {
    fn outlet_keys(&self) -> Result<OutletKeys, StatementError> {
        let noise = self.noise.ok_or(StatementError::Ticket)?;
        Ok(OutletKeys {
            identity: self.key,
            noise,
        })
    }
}

/// A ticket and what its key signed: all that shows to anybody that a key was enrolled. Nothing in it is secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentChain {
    /// `tg-ticket`.
    pub ticket: String,
    /// `tg-enrolment`.
    pub enrolment: String,
}

impl EnrolmentChain {
    /// Whose device this proves a key to be. Whether the ticket could be used *now* is the authority's question alone.
    ///
    /// # Errors
    /// What is wrong with either statement; `Ticket` when they do not belong together or enrol something else.
    pub(super) fn device(
        &self,
        root: &VerifyKey,
        org: &OrgName,
    ) -> Result<(Subject, VerifyKey), StatementError> {
        let (ticket, enrolment) = self.verify(root, org)?;
        match (ticket.kind, enrolment.noise) {
            (TicketKind::Device { sub }, None) => Ok((sub, enrolment.key)),
            (TicketKind::Device { .. } | TicketKind::Outlet { .. }, _) => {
                Err(StatementError::Ticket)
            }
        }
    }

    /// The keys that this proves to be an outlet's of `service`, which must take outlets by ticket.
    ///
    /// # Errors
    /// As `device`; `Expired` when the service has asked for newer tickets since.
    pub fn outlet(&self, service: &ServiceStatement) -> Result<OutletKeys, StatementError> {
        let (_, enrolment) = self.outlet_parts(service)?;
        enrolment.outlet_keys()
    }

    /// The statements behind `outlet`.
    pub(super) fn outlet_parts(
        &self,
        service: &ServiceStatement,
    ) -> Result<(TicketStatement, Enrolment), StatementError> {
        let taken = service.enrolment.as_ref().ok_or(StatementError::Ticket)?;
        let mut refused = StatementError::Ticket;
        for key in &taken.keys {
            match self.verify(key, &service.org) {
                Ok((ticket, enrolment)) => {
                    taken.check(&ticket, service)?;
                    return Ok((ticket, enrolment));
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn verify(
        &self,
        signer: &VerifyKey,
        org: &OrgName,
    ) -> Result<(TicketStatement, Enrolment), StatementError> {
        let ticket = TicketStatement::verify_for(&self.ticket, signer, org)?;
        let enrolment = Enrolment::verify_for(&self.enrolment, &ticket.key, org)?;
        if enrolment.ticket != ticket.id {
            return Err(StatementError::Ticket);
        }
        // By its own word; that nobody used it later by a wrong one is the authority's to see to.
        ticket.valid_at(enrolment.at)?;
        Ok((ticket, enrolment))
    }
}

/// Verifies the chain root → ticket → new identity key at `now`, by whoever uses the ticket up.
///
/// # Errors
/// What is wrong with either statement; `Ticket` when they do not belong together or the enrolment is from the future.
pub fn verify_enrolment(
    chain: &EnrolmentChain,
    root: &VerifyKey,
    org: &OrgName,
    now: UnixTime,
) -> Result<(TicketStatement, Enrolment), StatementError> {
    let ticket = TicketStatement::verify_for(&chain.ticket, root, org)?;
    ticket.valid_at(now)?;
    let enrolment = Enrolment::verify_for(&chain.enrolment, &ticket.key, org)?;
    if enrolment.ticket != ticket.id || !enrolment.at.has_begun(now) {
        return Err(StatementError::Ticket);
    }
    ticket.valid_at(enrolment.at)?;
    Ok((ticket, enrolment))
}

/// The same for an outlet of `service`.
///
/// # Errors
/// As `verify_enrolment` and `EnrolmentChain::outlet`.
pub fn verify_outlet_enrolment(
    chain: &EnrolmentChain,
    service: &ServiceStatement,
    now: UnixTime,
) -> Result<(TicketStatement, OutletKeys), StatementError> {
    let (ticket, enrolment) = chain.outlet_parts(service)?;
    ticket.valid_at(now)?;
    if !enrolment.at.has_begun(now) {
        return Err(StatementError::Ticket);
    }
    Ok((ticket, enrolment.outlet_keys()?))
}
