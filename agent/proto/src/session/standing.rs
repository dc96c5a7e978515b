//! What an outlet holds to be true right now: an immutable snapshot, shared as `Arc` and replaced as a whole.
//! Everything in it was verified when it came in; nothing is verified again when it is used.

use crate::{
    identity::VerifyKey,
    idtoken::KeySet,
    names::{OrgName, ServiceName},
    policy::{Policies, Resource},
    revocations::Revocations,
    statement::{AuthorityStatement, Beacon, IdpStatement},
    time::UnixTime,
};
use std::collections::BTreeMap;

/// Trust, rules and revocations as last known.
#[derive(Clone)]
pub struct Standing {
    pub org: OrgName,
    pub root: VerifyKey,
    pub authority: AuthorityStatement,
    pub idp: IdpStatement,
    /// The provider's keys, fetched from the provider itself.
    pub keys: KeySet,
    pub revocations: Revocations,
    /// The org's and the owner's policies.
    pub policy: Policies,
    /// The services this outlet serves.
    pub services: BTreeMap<ServiceName, Resource>,
    /// When the newest beacon was made.
    pub beacon_at: UnixTime,
}

impl Standing {
    /// Whether the authority has been silent for too long. Credentials already given still open portals while they last.
    #[must_use]
    pub fn authority_away(&self, now: UnixTime) -> bool {
        self.beacon_at.until(now) > Beacon::AWAY_AFTER
    }
}
