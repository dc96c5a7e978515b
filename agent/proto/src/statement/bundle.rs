//! What `tidegate org sign` writes and the hub hands out: every root-signed statement of one org.
//! The hub is not believed: everything is verified from the root fingerprint up, and nothing ever goes back a version.

use super::{
    AuthorityStatement, IdpStatement, PolicyStatement, ServiceStatement, Statement, StatementError,
    walk_roots,
};
use crate::{
    identity::{PeerId, VerifyKey},
    names::{OrgName, ServiceName},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The signed statements of an org; every text is a compact JWS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgBundle {
    /// The chain of root keys, see `walk_roots`.
    pub roots: Vec<String>,
    /// The newest root key; only a hint, the chain decides.
    pub root: VerifyKey,
    pub authority: String,
    pub idp: String,
    pub services: Vec<String>,
    /// None or one.
    pub policies: Vec<String>,
}

/// A bundle whose every part was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedOrg {
    pub org: OrgName,
    pub root: VerifyKey,
    pub authority: AuthorityStatement,
    pub idp: IdpStatement,
    pub services: Vec<ServiceStatement>,
    pub policy: Option<PolicyStatement>,
}

/// Most services of one org.
const MAX_SERVICES: usize = 2_000;

impl OrgBundle {
    /// Largest bundle file that is read, in bytes.
    pub const MAX: usize = 4 << 20;

    /// Reads a bundle file strictly.
    ///
    /// # Errors
    /// When it is not one JSON object of exactly this shape.
    pub fn parse(json: &[u8]) -> Result<Self, StatementError> {
        Ok(crate::strict::json(json, Self::MAX)?)
    }

    /// Verifies every part from the pinned root fingerprint up.
    ///
    /// # Errors
    /// The first part that is not believed, and why. `Bundle` for a service that is there twice.
    pub fn verify(
        &self,
        root_fingerprint: PeerId,
        org: &OrgName,
        now: UnixTime,
    ) -> Result<VerifiedOrg, StatementError> {
        let root = walk_roots(&self.roots, org, root_fingerprint)?;
        if root != self.root {
            return Err(StatementError::Root);
        }
        let authority = AuthorityStatement::verify_for(&self.authority, &root, org)?;
        authority.valid_at(now)?;
        let idp = IdpStatement::verify_for(&self.idp, &root, org)?;
        let services = self.verified_services(&root, org)?;
        let policy = match self.policies.as_slice() {
            [] => None,
            [one] => Some(PolicyStatement::verify_for(one, &root, org)?),
            _ => return Err(StatementError::Bundle),
        };
        Ok(VerifiedOrg {
            org: org.clone(),
            root,
            authority,
            idp,
            services,
            policy,
        })
    }

    fn verified_services(
        &self,
        root: &VerifyKey,
        org: &OrgName,
    ) -> Result<Vec<ServiceStatement>, StatementError> {
        if self.services.len() > MAX_SERVICES {
            return Err(StatementError::Bundle);
        }
        let verify = |jws: &String| ServiceStatement::verify_for(jws, root, org);
        let services = self
            .services
            .iter()
            .map(verify)
            .collect::<Result<Vec<_>, _>>()?;
        let names: BTreeSet<_> = services.iter().map(|entry| &entry.service).collect();
        if names.len() == services.len() {
            Ok(services)
        } else {
            Err(StatementError::Bundle)
        }
    }
}

/// The newest versions somebody has seen; kept on disk, so that an older statement is never taken again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seen {
    root: Option<Pin>,
    authority: u64,
    idp: u64,
    policy: u64,
    services: BTreeMap<ServiceName, u64>,
}

/// The newest root that was reached from the fingerprint somebody was told.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    told: PeerId,
    newest: PeerId,
}

impl Seen {
    /// Walks a chain of roots to its newest key, and pins that one from now on: a chain cut back to a former root,
    /// perhaps a leaked one, is no chain any more. Being told another fingerprint begins anew.
    ///
    /// # Errors
    /// As `walk_roots`; `Root` also when the chain ends before the newest root seen.
    pub fn root(
        &mut self,
        chain: &[String],
        org: &OrgName,
        told: PeerId,
    ) -> Result<VerifyKey, StatementError> {
        let pinned = self.root.filter(|pin| pin.told == told);
        let root = walk_roots(chain, org, pinned.map_or(told, |pin| pin.newest))?;
        let newest = root.peer_id();
        self.root = Some(Pin { told, newest });
        Ok(root)
    }

    /// Takes note of an authority statement.
    ///
    /// # Errors
    /// `Rollback` when a newer one was seen before.
    pub fn authority(&mut self, statement: &AuthorityStatement) -> Result<(), StatementError> {
        forward(&mut self.authority, statement.version)
    }

    /// Takes note of provider settings.
    ///
    /// # Errors
    /// `Rollback` when newer ones were seen before.
    pub fn idp(&mut self, statement: &IdpStatement) -> Result<(), StatementError> {
        forward(&mut self.idp, statement.version)
    }

    /// Takes note of an org policy.
    ///
    /// # Errors
    /// `Rollback` when a newer one was seen before.
    pub fn policy(&mut self, statement: &PolicyStatement) -> Result<(), StatementError> {
        forward(&mut self.policy, statement.version)
    }

    /// Takes note of a catalogue entry.
    ///
    /// # Errors
    /// `Rollback` when a newer one for this service was seen before.
    pub fn service(&mut self, statement: &ServiceStatement) -> Result<(), StatementError> {
        forward(
            self.services.entry(statement.service.clone()).or_default(),
            statement.version,
        )
    }

    /// Takes note of a whole verified bundle; of nothing if any part is older than what was seen.
    ///
    /// # Errors
    /// `Rollback`.
    pub fn bundle(&mut self, org: &VerifiedOrg) -> Result<(), StatementError> {
        let mut next = self.clone();
        next.authority(&org.authority)?;
        next.idp(&org.idp)?;
        org.policy
            .iter()
            .try_for_each(|policy| next.policy(policy))?;
        org.services
            .iter()
            .try_for_each(|service| next.service(service))?;
        *self = next;
        Ok(())
    }
}

fn forward(seen: &mut u64, version: u64) -> Result<(), StatementError> {
    if version < *seen {
        return Err(StatementError::Rollback);
    }
    *seen = version;
    Ok(())
}
