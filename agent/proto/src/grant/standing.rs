//! Whether a grant counts at this moment: asked at OPEN, and again for as long as something is open under it.
//! Every rule is evaluated anew: a person who lost the right to approve, or a rule that became stricter, ends it.

use super::{Granted, book::Grants};
use crate::{
    identity::VerifyKey,
    policy::{Action, Denied, Policies, Resource, Terms},
    principal::Principal,
    revocations::{Against, Revocations},
    time::UnixTime,
};

/// Why a grant that is genuine does not count now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotLive {
    #[error("the grant was taken back")]
    TakenBack,
    #[error("somebody who approved it was revoked since")]
    ApproverRevoked,
    #[error("somebody who approved it may have been revoked since: it is from before the floor")]
    ApprovalStale,
    #[error("so many were used or taken back since that nobody can tell about this one")]
    Forgotten,
    #[error("the rules do not let the person ask any more: {side:?} {ground:?}", side = .0.side, ground = .0.ground)]
    Asking(Denied),
    #[error("the rules do not let somebody who approved it approve any more: {side:?} {ground:?}", side = .0.side, ground = .0.ground)]
    Approving(Denied),
    #[error("fewer people approved than the rules ask for")]
    TooFew,
    #[error("it lasts longer than the rules allow")]
    TooLong,
    #[error("it was not used within its claim window")]
    Unclaimed,
    #[error("its time is up")]
    Over,
    #[error("it is read-only, and nothing here holds anybody to that")]
    ReadOnly,
}

/// A grant that counts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// When what is open under it must be closed, if it is first used now.
    pub end: UnixTime,
    /// When nothing can be done with it any more by the rules of now, whatever anybody remembers.
    pub last: UnixTime,
    /// How long a statement that runs at the end may go on, in seconds.
    pub finish: u64,
}

/// What the answer depends on besides the grant.
#[derive(Copy, Clone)]
pub struct Ground<'a> {
    pub policy: &'a Policies,
    pub revocations: &'a Revocations,
    pub grants: &'a Grants,
    pub resource: &'a Resource,
    /// Whether somebody who may only read there is held to that.
    pub holds_read_only: bool,
    /// Whose word the approvers' credentials rested on when the grant was verified.
    pub authority: VerifyKey,
}

impl Granted {
    /// Whether it counts now, for this person.
    pub(crate) fn live(
        &self,
        requester: &Principal,
        on: &Ground<'_>,
        now: UnixTime,
    ) -> Result<Live, NotLive> {
        if on.grants.is_taken_back(self.id) {
            return Err(NotLive::TakenBack);
        }
        if on.grants.is_below_the_floor(self.complete) {
            return Err(NotLive::Forgotten);
        }
        self.still_vouched(on)?;
        if self.extent.read_only && !on.holds_read_only {
            return Err(NotLive::ReadOnly);
        }
        let terms = self.within_the_rules(requester, on)?;
        self.in_time(terms, on.grants, now)
    }

    /// Nobody who approved was revoked since, as far as one can tell: who is below the floor may have been.
    fn still_vouched(&self, on: &Ground<'_>) -> Result<(), NotLive> {
        for approver in &self.approvers {
            let Principal { sub, device, .. } = &approver.principal;
            let against =
                on.revocations
                    .against_approval((sub, *device), approver.epoch, &on.authority);
            match against {
                Some(Against::Revoked) => return Err(NotLive::ApproverRevoked),
                Some(Against::Floor { .. }) => return Err(NotLive::ApprovalStale),
                None => {}
            }
        }
        Ok(())
    }

    /// The org's rules, each as of the moment it was needed, and as they are now.
    fn within_the_rules(&self, requester: &Principal, on: &Ground<'_>) -> Result<Terms, NotLive> {
        let asking = Action::asking(self.emergency);
        let terms = on
            .policy
            .terms(requester, asking, on.resource, self.asked)
            .map_err(NotLive::Asking)?;
        for approver in &self.approvers {
            on.policy
                .may_approve(&approver.principal, on.resource, approver.at)
                .map_err(NotLive::Approving)?;
        }
        if self.approvers.len() < usize::from(terms.approvals) {
            return Err(NotLive::TooFew);
        }
        if self.extent.seconds > terms.longest {
            return Err(NotLive::TooLong);
        }
        Ok(terms)
    }

    /// The clock starts at the first use; without one the claim window decides. Both together bound it, whatever is forgotten.
    fn in_time(&self, terms: Terms, grants: &Grants, now: UnixTime) -> Result<Live, NotLive> {
        let claim_by = self.complete.plus(terms.claim);
        let last = claim_by.plus(self.extent.seconds);
        let end = match grants.first_use(self.id) {
            Some(first) => first.plus(self.extent.seconds),
            None if claim_by.has_ended(now) => return Err(NotLive::Unclaimed),
            None => now.plus(self.extent.seconds),
        };
        let end = end.min(last);
        if now < end {
            Ok(Live {
                end,
                last,
                finish: terms.finish,
            })
        } else {
            Err(NotLive::Over)
        }
    }
}
