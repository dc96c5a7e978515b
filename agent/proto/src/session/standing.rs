//! What an outlet holds to be true right now: an immutable snapshot, shared as `Arc` and replaced as a whole.
//! Everything in it was verified when it came in; nothing is verified again when it is used.

use crate::{
    grant::{Grants, Ground},
    identity::VerifyKey,
    idtoken::{FormerKeys, KeySet},
    legs::Trust,
    names::{OrgName, ServiceName},
    policy::{Policies, Resource},
    revocations::Revocations,
    statement::{AuthorityStatement, Beacon, IdpStatement},
    time::UnixTime,
};
use std::collections::{BTreeMap, BTreeSet};

/// Trust, rules and revocations as last known.
#[derive(Clone)]
pub struct Standing {
    pub org: OrgName,
    pub root: VerifyKey,
    pub authority: AuthorityStatement,
    pub idp: IdpStatement,
    /// The provider's keys, fetched from the provider itself.
    pub keys: KeySet,
    /// Those it used before: what was approved then is judged by them, and nothing else.
    pub former: Vec<FormerKeys>,
    pub revocations: Revocations,
    /// What is known about grants: their clocks, and which were taken back.
    pub grants: Grants,
    /// The org's and the owner's policies.
    pub policy: Policies,
    /// The services this outlet serves.
    pub services: BTreeMap<ServiceName, Resource>,
    /// Those among them where somebody is held to it who may only read.
    pub read_only: BTreeSet<ServiceName>,
    /// When the newest beacon was made.
    pub beacon_at: UnixTime,
}

impl Standing {
    /// Whose word counts.
    #[must_use]
    pub fn trust(&self) -> Trust<'_> {
        Trust {
            org: &self.org,
            root: &self.root,
            authority: &self.authority,
            idp: &self.idp,
            keys: &self.keys,
            former: &self.former,
        }
    }

    /// On what a grant for `resource` is judged.
    pub(super) fn ground<'a>(&'a self, resource: &'a Resource, authority: VerifyKey) -> Ground<'a> {
        Ground {
            authority,
            policy: &self.policy,
            revocations: &self.revocations,
            grants: &self.grants,
            holds_read_only: self.read_only.contains(&resource.service),
            resource,
        }
    }

    /// Whether the authority has been silent for too long. Credentials already given still open portals while they last.
    #[must_use]
    pub fn authority_away(&self, now: UnixTime) -> bool {
        self.beacon_at.until(now) > Beacon::AWAY_AFTER
    }
}
