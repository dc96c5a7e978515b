//! The outlet's checks in the order of PROTOCOL section 7: 1 to 8 here, 9 in `session`, 10 in `permit`.
//! The order is part of the protocol: nothing expensive or telling happens for a peer that has not proved its key.

use super::{AUTH_WITHIN, GRACE, RENEW_WITHIN, Standing};
use crate::{
    auth::{Auth, proof_input},
    channel::HandshakeHash,
    grant::Granted,
    identity::VerifyKey,
    legs::Stood,
    names::ServiceName,
    principal::Principal,
    refusal::RefusalReason,
    revocations::Against,
    statement::StatementError,
    time::UnixTime,
};

/// What AUTH proved, and until when.
pub(super) struct Proof {
    pub(super) principal: Principal,
    /// What was presented with it.
    pub(super) granted: Option<Granted>,
    /// The credential's id, for the audit.
    pub(super) credential: String,
    epoch: u64,
    credential_ends: UnixTime,
    token_ends: UnixTime,
    /// The longest session the org allows.
    session_ends: UnixTime,
    /// Whose word it rests on; a new AUTH is asked for when that changes.
    root: VerifyKey,
    pub(super) authority: VerifyKey,
    issuer: String,
}

/// Check 1, the time.
pub(super) fn in_time(since: UnixTime, now: UnixTime) -> Result<(), RefusalReason> {
    if since.until(now) > AUTH_WITHIN {
        Err(RefusalReason::TooLate)
    } else {
        Ok(())
    }
}

/// Checks 1 to 8.
pub(super) fn verify(
    record: &[u8],
    service: &ServiceName,
    hash: &HandshakeHash,
    s: &Standing,
    now: UnixTime,
) -> Result<Proof, RefusalReason> {
    // 1: size and form.
    let auth = Auth::decode(record).map_err(RefusalReason::Malformed)?;
    // 2: the service.
    if auth.service != *service {
        return Err(RefusalReason::OtherService);
    }
    if !s.services.contains_key(service) {
        return Err(RefusalReason::UnknownService);
    }
    // 3: possession of the identity key, on this channel.
    auth.identity
        .verify(&proof_input(hash), &auth.signature)
        .map_err(|_| RefusalReason::Proof)?;
    // 4 to 7.
    let (legs, trust) = (auth.legs(), s.trust());
    let credential = legs.credential(&trust, now)?;
    let who = (&credential.sub, credential.cnf);
    match s
        .revocations
        .against(who, credential.epoch, &s.authority.key)
    {
        Some(Against::Revoked) => return Err(RefusalReason::Revoked),
        Some(Against::Floor { .. }) => return Err(RefusalReason::Stale),
        None => {}
    }
    let stood = legs.with_credential(credential, &trust, now)?;
    // 8: what was granted, if anything is presented. Whether it still counts is asked at OPEN.
    let granted = auth
        .grant
        .map(|grant| grant.verify(&stood.principal, &auth.identity, service, &trust, now))
        .transpose()
        .map_err(RefusalReason::Grant)?;
    Ok(Proof::new(stood, granted, s))
}

impl Proof {
    fn new(stood: Stood, granted: Option<Granted>, s: &Standing) -> Self {
        let (credential, person) = (stood.credential, stood.person);
        Self {
            principal: stood.principal,
            granted,
            credential: credential.id,
            epoch: credential.epoch,
            credential_ends: credential.not_after,
            token_ends: person.expires,
            session_ends: person.auth_time.plus(s.idp.max_session),
            root: s.root,
            authority: s.authority.key,
            issuer: s.idp.issuer.clone(),
        }
    }

    /// When what is open must be closed.
    pub(super) fn deadline(&self) -> UnixTime {
        let ends = self.credential_ends.min(self.token_ends);
        ends.plus(GRACE).min(self.session_ends)
    }

    /// Whether a new portal may be asked for: nothing expired, revoked, or no longer vouched for.
    pub(super) fn may_open(
        &self,
        s: &Standing,
        service: &ServiceName,
        now: UnixTime,
    ) -> Result<(), RefusalReason> {
        self.still_warm(s, service, now)?;
        if self.credential_ends.min(self.token_ends).has_ended(now) {
            return Err(RefusalReason::Expired);
        }
        let vouched =
            self.root == s.root && self.authority == s.authority.key && self.issuer == s.idp.issuer;
        if vouched {
            Ok(())
        } else {
            Err(RefusalReason::TrustChanged)
        }
    }

    /// Whether a circuit that carries nothing may wait for the next portal.
    pub(super) fn still_warm(
        &self,
        s: &Standing,
        service: &ServiceName,
        now: UnixTime,
    ) -> Result<UnixTime, RefusalReason> {
        let deadline = self.still_admitted(s, service, now)?;
        match self.against(s) {
            None => Ok(deadline),
            Some(_) => Err(RefusalReason::Stale),
        }
    }

    /// Whether what is open may stay open, policies apart.
    pub(super) fn still_admitted(
        &self,
        s: &Standing,
        service: &ServiceName,
        now: UnixTime,
    ) -> Result<UnixTime, RefusalReason> {
        if !s.services.contains_key(service) {
            return Err(RefusalReason::UnknownService);
        }
        let deadline = match self.against(s) {
            Some(Against::Revoked) => return Err(RefusalReason::Revoked),
            // Nobody said anything of this person: they are asked to renew, and given the time to.
            Some(Against::Floor { since }) => self.deadline().min(since.plus(RENEW_WITHIN)),
            None => self.deadline(),
        };
        if now < deadline {
            Ok(deadline)
        } else {
            Err(RefusalReason::Expired)
        }
    }

    fn against(&self, s: &Standing) -> Option<Against> {
        let Principal { sub, device, .. } = &self.principal;
        s.revocations
            .against((sub, *device), self.epoch, &self.authority)
    }

    /// The newer proof, if it is of the same person on the same device, and no weaker.
    pub(super) fn renewed_by(&self, newer: Self) -> Result<Self, RefusalReason> {
        self.is_followed_by(&newer).map(|()| newer)
    }

    /// Whether what stands on this may go on on `newer`: the same person on the same device, proved no weaker.
    pub(super) fn is_followed_by(&self, newer: &Self) -> Result<(), RefusalReason> {
        let same = newer.principal.sub == self.principal.sub
            && newer.principal.device == self.principal.device
            && newer.principal.org == self.principal.org;
        if !same {
            Err(RefusalReason::OtherPrincipal)
        } else if newer.principal.assurance < self.principal.assurance {
            Err(RefusalReason::LowAssurance)
        } else if newer.principal.enrolment < self.principal.enrolment {
            Err(RefusalReason::Enrolment(StatementError::Ticket))
        } else {
            Ok(())
        }
    }
}
