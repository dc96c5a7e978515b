//! What would an outlet say? Asked before the authority calls anything granted, by the very checks that outlets make.
//! A grant that no outlet believes is worse than none: whoever presents it is not admitted at all.

use tidegate_proto::{
    grant::{Approver, GrantError, MAX_APPROVALS, same_person},
    idtoken::{IdTokenError, KeySet},
    refusal::RefusalReason,
    statement::Extent,
    time::UnixTime,
};

use super::{Access, Given};
use crate::{in_force::InForce, refusal::Refusal};

/// Bytes of a grant, at most: it is presented together with the requester's own tokens, in one record.
const MOST_BYTES: usize = 36 * 1024;

/// By what is in force now.
pub(crate) struct Judge<'a> {
    pub(crate) in_force: &'a InForce,
    pub(crate) keys: &'a KeySet,
    pub(crate) now: UnixTime,
}

impl Judge<'_> {
    /// The request with one approval more; granted, if that makes as many as the rules ask for now.
    pub(crate) fn with(&self, access: &Access, given: Given) -> Result<Access, Refusal> {
        let terms = self.in_force.terms(
            &access.principal,
            access.asking(),
            &access.service,
            access.asked,
        );
        // The rules do not let the person ask any more: there is nothing to decide.
        let terms = terms.ok_or(Refusal::RequestNotOpen)?;
        let newest = self.approver(access, &given)?;
        let mut by: Vec<_> = access.approvals.clone();
        // What would be believed no more by now goes; that person may approve again.
        by.retain(|former| self.approver(access, former).is_ok());
        self.nobody_twice(access, &by, newest.as_ref())?;
        by.push(given);
        let extent = by.iter().map(|given| given.extent);
        let extent = extent.fold(access.asked_for(), Extent::both);
        if extent.seconds > terms.longest {
            return Err(Refusal::AskedTooLong(terms.longest));
        }
        let next = access.approved(by, terms.approvals, self.now)?;
        let size = serde_json::to_string(&next.grant()).map_or(usize::MAX, |text| text.len());
        if size > MOST_BYTES || next.approvals.len() > MAX_APPROVALS {
            return Err(Refusal::IdToken(IdTokenError::TooManyGroups));
        }
        Ok(next)
    }

    fn nobody_twice(
        &self,
        access: &Access,
        by: &[Given],
        newest: Option<&Approver>,
    ) -> Result<(), Refusal> {
        let Some(newest) = newest else {
            return Ok(());
        };
        for former in by {
            if let Ok(Some(former)) = self.approver(access, former)
                && same_person(&former.principal, &newest.principal)
            {
                return Err(Refusal::RequestNotOpen);
            }
        }
        Ok(())
    }

    /// Who gave this approval, as an outlet would see it. `None` where the provider has changed its keys since: outlets
    /// remember those, we do not.
    fn approver(&self, access: &Access, given: &Given) -> Result<Option<Approver>, Refusal> {
        let grant = access.grant_of(given.approval.clone());
        let trust = self.in_force.trust(self.keys);
        let (who, key) = (&access.principal, &access.key);
        match grant.verify(who, key, &access.service, &trust, self.now) {
            Ok(granted) => {
                let approver = granted.approvers.into_iter().next();
                let approver = approver.ok_or(Refusal::ApprovalUnfit)?;
                let (who, at) = (&approver.principal, approver.at);
                match self.in_force.may_approve(who, &access.service, at) {
                    true => Ok(Some(approver)),
                    false => Err(Refusal::MayNotApprove),
                }
            }
            Err(GrantError::Approver(exact)) if *exact == key_is_gone() => Ok(None),
            Err(GrantError::OwnApproval | GrantError::LowApprover) => Err(Refusal::MayNotApprove),
            Err(error) => {
                tracing::warn!(grant = %access.id, %error, "no outlet would believe an approval");
                Err(Refusal::ApprovalUnfit)
            }
        }
    }
}

fn key_is_gone() -> RefusalReason {
    RefusalReason::IdToken(IdTokenError::UnknownKey)
}
