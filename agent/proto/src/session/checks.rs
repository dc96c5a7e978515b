//! The outlet's checks in the order of PROTOCOL section 5: 1 to 8 here, 9 in `session`, 10 in `permit`.
//! The order is part of the protocol: nothing expensive or telling happens for a peer that has not proved its key.

use super::{AUTH_WITHIN, GRACE, RENEW_WITHIN, Standing};
use crate::{
    auth::{Auth, proof_input},
    channel::HandshakeHash,
    identity::VerifyKey,
    idtoken::{Person, verify_pair},
    names::ServiceName,
    principal::{DeviceProof, Joined, Principal},
    refusal::RefusalReason,
    revocations::Against,
    statement::{Credential, Statement, StatementError},
    time::UnixTime,
};

/// What AUTH proved, and until when.
pub(super) struct Proof {
    pub(super) principal: Principal,
    /// The credential's id, for the audit.
    pub(super) credential: String,
    epoch: u64,
    credential_ends: UnixTime,
    token_ends: UnixTime,
    /// The longest session the org allows.
    session_ends: UnixTime,
    /// Whose word it rests on; a new AUTH is asked for when that changes.
    root: VerifyKey,
    authority: VerifyKey,
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
    // 4 to 6.
    let credential = credential(&auth, s, now)?;
    let enrolment = enrolment(&auth, &credential, s)?;
    let person = person(&auth, &credential, s, now)?;
    // 8: nobody can approve anything yet.
    if auth.grant.is_some() {
        return Err(RefusalReason::Grant);
    }
    // 7: each attribute from its one owner.
    let joined = match &auth.enrolment {
        Some(chain) if chain.vouches.is_empty() => Joined::Ticket,
        Some(_) => Joined::Approval,
        None => Joined::Unknown,
    };
    let principal = Principal {
        enrolment,
        joined,
        ..Principal::new(&credential, &person)
    };
    Ok(Proof::new(&credential, &person, principal, s))
}

/// Check 4: the authority's word.
fn credential(auth: &Auth, s: &Standing, now: UnixTime) -> Result<Credential, RefusalReason> {
    s.authority
        .valid_at(now)
        .map_err(RefusalReason::Authority)?;
    let credential = Credential::verify_for(&auth.credential, &s.authority.key, &s.org)
        .map_err(RefusalReason::Credential)?;
    credential
        .valid_at(now)
        .map_err(RefusalReason::Credential)?;
    if credential.cnf != auth.identity.peer_id() {
        return Err(RefusalReason::OtherKey);
    }
    let who = (&credential.sub, credential.cnf);
    match s
        .revocations
        .against(who, credential.epoch, &s.authority.key)
    {
        Some(Against::Revoked) => Err(RefusalReason::Revoked),
        Some(Against::Floor { .. }) => Err(RefusalReason::Stale),
        None => Ok(credential),
    }
}

/// Check 4, where the agent shows more than the authority's word: root, ticket and device follow from each other.
/// A chain that is shown must hold, whether a policy asks for it or not.
fn enrolment(
    auth: &Auth,
    credential: &Credential,
    s: &Standing,
) -> Result<DeviceProof, RefusalReason> {
    let Some(chain) = &auth.enrolment else {
        return Ok(DeviceProof::Vouched);
    };
    let (sub, key) = chain
        .verify(&s.root, &s.org)
        .map_err(RefusalReason::Enrolment)?;
    if key == auth.identity && sub == credential.sub {
        Ok(DeviceProof::Proved)
    } else {
        Err(RefusalReason::Enrolment(StatementError::Ticket))
    }
}

/// Checks 5 and 6: the provider's word, and that both speak of the same person.
fn person(
    auth: &Auth,
    credential: &Credential,
    s: &Standing,
    now: UnixTime,
) -> Result<Person, RefusalReason> {
    let newer = auth.id_token_n.as_deref();
    let person = verify_pair(
        &auth.id_token_0,
        newer,
        &auth.rz,
        &auth.identity,
        &s.idp,
        &s.keys,
        now,
    )
    .map_err(RefusalReason::IdToken)?;
    if person.sub != credential.sub {
        return Err(RefusalReason::OtherSubject);
    }
    // An honest authority never says more than the token does; a low one is left to the policies.
    if credential.assurance > person.assurance {
        return Err(RefusalReason::LowAssurance);
    }
    Ok(person)
}

impl Proof {
    fn new(credential: &Credential, person: &Person, principal: Principal, s: &Standing) -> Self {
        Self {
            principal,
            credential: credential.id.clone(),
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
            Ok(newer)
        }
    }
}
