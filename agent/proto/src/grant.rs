//! A grant as it is presented (check 8): a request, the approvals of it, and the authority's seal on each.
//! Only what never changes is checked here; whether it still counts depends on the moment, and `standing` says that.

mod book;
mod standing;

pub use book::Grants;
pub use standing::{Ground, Live, NotLive};

use crate::{
    api::access::WAITS,
    identity::VerifyKey,
    legs::{Legs, Trust},
    names::{ServiceName, Subject},
    policy::Terms,
    principal::Principal,
    refusal::RefusalReason,
    statement::{
        AccessRequest, Assurance, Extent, GrantId, GrantStatement, Seal, Statement, StatementError,
        StatementHash,
    },
    time::{SKEW, UnixTime},
};
use serde::{Deserialize, Serialize};

/// Most approvals of one request.
pub const MAX_APPROVALS: usize = 5;

/// A request that was answered. No `Debug`: the approvers' ID tokens are in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `tg-request`.
    pub request: String,
    /// `tg-seal` of the request.
    pub seal: String,
    /// None where a root-signed rule lets people in who only ask.
    pub approvals: Vec<Approval>,
}

/// One person's approval, and who that person was at that moment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub legs: Legs,
    /// `tg-grant`, signed by the key of the legs.
    pub grant: String,
    /// `tg-seal` of the grant.
    pub seal: String,
}

/// Why a grant is not believed. Whoever presents it is not admitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrantError {
    #[error("more approvals than are read")]
    TooMany,
    #[error("the request is not believed: {0}")]
    Request(StatementError),
    #[error("the request is somebody else's")]
    OtherPerson,
    #[error("the request was made by another device")]
    OtherDevice,
    #[error("the request is for another service")]
    OtherService,
    #[error("the approval is not believed: {0}")]
    Approval(StatementError),
    #[error("the approval is of another request")]
    OtherRequest,
    #[error("the approval gives more than was asked for")]
    Wider,
    #[error("the authority's seal is not believed: {0}")]
    Seal(StatementError),
    #[error("the seal is on another statement")]
    OtherSeal,
    #[error("seal and statement are from different times")]
    SealTime,
    #[error("the approval is older than the request, or came when that had run out")]
    Order,
    #[error("the approver is not believed: {0}")]
    Approver(Box<RefusalReason>),
    #[error("the approver's sign-in is not bound to a device")]
    LowApprover,
    #[error("the approver is who asked")]
    OwnApproval,
    #[error("one person approved twice")]
    SamePerson,
}

/// Who approved, as of then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approver {
    pub principal: Principal,
    pub at: UnixTime,
    /// The epoch of the credential that was shown: a later revocation takes the approval back.
    pub(crate) epoch: u64,
}

/// A grant that is what it says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    pub id: GrantId,
    /// What the request and every approval give.
    pub extent: Extent,
    pub emergency: bool,
    pub approvers: Vec<Approver>,
    /// When it was asked for.
    pub asked: UnixTime,
    /// When the last word that it needed was said: the claim window begins here.
    pub complete: UnixTime,
}

impl Grant {
    /// How it is named.
    #[must_use]
    pub fn id(&self) -> GrantId {
        StatementHash::of(&self.request)
    }

    /// Checks everything about it that does not depend on the moment it is used.
    /// `requester` is who presents it, and has proved to hold `identity`.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(
        &self,
        requester: &Principal,
        identity: &VerifyKey,
        service: &ServiceName,
        trust: &Trust<'_>,
        now: UnixTime,
    ) -> Result<Granted, GrantError> {
        if self.approvals.len() > MAX_APPROVALS {
            return Err(GrantError::TooMany);
        }
        let request = AccessRequest::verify_for(&self.request, identity, trust.org)
            .map_err(GrantError::Request)?;
        belongs(&request, requester, service)?;
        let seal = sealed(&self.seal, &self.request, request.at, trust, now)?;
        let mut granted = Granted {
            id: self.id(),
            extent: request.extent,
            emergency: request.emergency,
            approvers: Vec::new(),
            asked: seal.at,
            complete: seal.at,
        };
        for approval in &self.approvals {
            let (approver, extent) = approval.verify(self.id(), &request.extent, trust, now)?;
            in_order(seal.at, approver.at)?;
            granted.add(requester, approver, extent)?;
        }
        // Nobody signs the order in which they are presented.
        let order = |approver: &Approver| (approver.at, approver.principal.sub.clone());
        granted.approvers.sort_by_key(order);
        Ok(granted)
    }
}

/// Nobody approves what has not been asked for yet, nor what waited for longer than a request does: who dates a request
/// forward would have an approval from long ago.
fn in_order(asked: UnixTime, approved: UnixTime) -> Result<(), GrantError> {
    if approved.plus(SKEW) < asked || asked.plus(WAITS + SKEW) < approved {
        Err(GrantError::Order)
    } else {
        Ok(())
    }
}

fn belongs(
    request: &AccessRequest,
    requester: &Principal,
    service: &ServiceName,
) -> Result<(), GrantError> {
    if request.sub != requester.sub {
        Err(GrantError::OtherPerson)
    } else if request.device != requester.device {
        Err(GrantError::OtherDevice)
    } else if request.service != *service {
        Err(GrantError::OtherService)
    } else {
        Ok(())
    }
}

impl Approval {
    /// Who approved how much of the request.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(
        &self,
        request: GrantId,
        asked: &Extent,
        trust: &Trust<'_>,
        now: UnixTime,
    ) -> Result<(Approver, Extent), GrantError> {
        let grant = GrantStatement::verify_for(&self.grant, &self.legs.identity, trust.org)
            .map_err(GrantError::Approval)?;
        if grant.request != request {
            return Err(GrantError::OtherRequest);
        }
        if !grant.extent.within(asked) {
            return Err(GrantError::Wider);
        }
        let seal = sealed(&self.seal, &self.grant, grant.at, trust, now)?;
        let stood = self
            .legs
            .stood(trust, seal.at)
            .map_err(|exact| GrantError::Approver(Box::new(exact)))?;
        // A token that is bound to nothing would be the approver's to anybody who holds the grant.
        if stood.principal.assurance != Assurance::High {
            return Err(GrantError::LowApprover);
        }
        let approver = Approver {
            principal: stood.principal,
            at: seal.at,
            epoch: stood.credential.epoch,
        };
        Ok((approver, grant.extent))
    }
}

/// The seal of a statement that says it was made at `at`: what the authority dates back or forward is worth nothing.
fn sealed(
    seal: &str,
    statement: &str,
    at: UnixTime,
    trust: &Trust<'_>,
    now: UnixTime,
) -> Result<Seal, GrantError> {
    let seal = Seal::verify_for(seal, &trust.authority.key, trust.org).map_err(GrantError::Seal)?;
    if seal.of != StatementHash::of(statement) {
        return Err(GrantError::OtherSeal);
    }
    let apart = at.until(seal.at).max(seal.at.until(at));
    if apart > SKEW || !seal.at.has_begun(now) {
        return Err(GrantError::SealTime);
    }
    Ok(seal)
}

impl Granted {
    fn add(
        &mut self,
        requester: &Principal,
        approver: Approver,
        extent: Extent,
    ) -> Result<(), GrantError> {
        if same_person(requester, &approver.principal) {
            return Err(GrantError::OwnApproval);
        }
        let known = |other: &Approver| same_person(&other.principal, &approver.principal);
        if self.approvers.iter().any(known) {
            return Err(GrantError::SamePerson);
        }
        self.extent = self.extent.both(extent);
        self.complete = self.complete.max(approver.at);
        self.approvers.push(approver);
        Ok(())
    }

    /// What could come of asking: as many approvals as the terms say, by people of whom nothing is known.
    pub(crate) fn imagined(requester: &Principal, terms: Terms, now: UnixTime) -> Self {
        let somebody = |n: u8| Approver {
            principal: Principal {
                sub: format!("somebody {n}")
                    .parse()
                    .unwrap_or_else(|_| requester.sub.clone()),
                groups: Vec::new(),
                email: None,
                ..requester.clone()
            },
            at: now,
            epoch: 0,
        };
        Self {
            id: StatementHash([0; 32]),
            extent: Extent {
                seconds: terms.usual,
                read_only: false,
            },
            emergency: false,
            approvers: (0..terms.approvals).map(somebody).collect(),
            asked: now,
            complete: now,
        }
    }

    /// Who approved it.
    #[must_use]
    pub fn approvers(&self) -> Vec<Subject> {
        let sub = |approver: &Approver| approver.principal.sub.clone();
        self.approvers.iter().map(sub).collect()
    }
}

/// One `sub`, one device, or two accounts with one address: nobody approves their own request through a second account.
#[must_use]
pub fn same_person(one: &Principal, other: &Principal) -> bool {
    one.device == other.device
        || is_one_person(
            (&one.sub, one.email.as_deref()),
            (&other.sub, other.email.as_deref()),
        )
}

/// As `same_person`, from `sub` and e-mail address alone, for whoever has nothing else.
#[must_use]
pub fn is_one_person(one: (&Subject, Option<&str>), other: (&Subject, Option<&str>)) -> bool {
    let address = |email: Option<&str>| {
        let email = email.map(str::trim).filter(|email| !email.is_empty());
        email.map(str::to_lowercase)
    };
    one.0 == other.0 || (address(one.1).is_some() && address(one.1) == address(other.1))
}

#[cfg(test)]
mod tests;
