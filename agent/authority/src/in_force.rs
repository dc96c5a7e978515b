//! The org's signed bundle as it is in force: verified from the root up, compiled, and with the names relays know it by.
//! Immutable and replaced as a whole; an answer is made from one of them, never from two.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::digest;
use tidegate_proto::{
    api::Hello,
    api::access::Askable,
    identity::{NoisePublic, PeerId, VerifyKey},
    idtoken::KeySet,
    legs::Trust,
    names::{OrgName, ServiceName},
    policy::{Action, PolicyError, RequestContext, Resource, Rules, Side, Terms},
    principal::Principal,
    statement::{EnrolmentChain, OrgBundle, ServiceStatement, StatementError, VerifiedOrg},
    time::UnixTime,
    wire::link::ServiceHandle,
};

use crate::{
    keys::AuthorityKeys,
    store::{Accepted, EnrolledOutlet, Seen, Store, StoreError},
};

/// Why a bundle is not put in force. The one before it stays.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    #[error("the bundle is not believed: {0}")]
    Statement(#[from] StatementError),
    #[error("the bundle names the keys of another authority")]
    OtherAuthority,
    #[error("the org policy cannot be used: {0}")]
    Policy(#[from] PolicyError),
    #[error("older than what was in force: {}", .0.join(", "))]
    Rollback(Vec<String>),
    #[error("changed without a new version: {}", .0.join(", "))]
    SameVersion(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a new bundle changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Roots,
    Authority,
    Provider,
    Policy,
    ServiceAdded(ServiceName),
    ServiceChanged(ServiceName),
    ServiceRemoved(ServiceName),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots => f.write_str("root keys"),
            Self::Authority => f.write_str("authority"),
            Self::Provider => f.write_str("identity provider"),
            Self::Policy => f.write_str("policy"),
            Self::ServiceAdded(name) => write!(f, "service {name} added"),
            Self::ServiceChanged(name) => write!(f, "service {name} changed"),
            Self::ServiceRemoved(name) => write!(f, "service {name} removed"),
        }
    }
}

/// One service, ready to be handed out.
pub(crate) struct Entry {
    /// With the keys of the outlets that tickets made.
    pub(crate) statement: ServiceStatement,
    pub(crate) jws: String,
    /// What shows that they are outlets.
    pub(crate) outlets: Vec<EnrolmentChain>,
    pub(crate) handle: ServiceHandle,
    resource: Resource,
}

impl Entry {
    pub(crate) fn served_by(&self, outlet: &VerifyKey) -> bool {
        self.statement
            .outlets
            .iter()
            .any(|keys| keys.identity == *outlet)
    }
}

/// The bundle in force.
pub(crate) struct InForce {
    pub(crate) bundle: OrgBundle,
    /// How the hub introduces itself.
    pub(crate) hello: Hello,
    pub(crate) org: VerifiedOrg,
    pub(crate) entries: Vec<Entry>,
    /// Whose tickets make an outlet of some service.
    pub(crate) ticket_keys: BTreeSet<VerifyKey>,
    rules: Rules,
    /// Counts changes of the catalogue.
    pub(crate) catalogue: u64,
}

impl InForce {
    /// Verifies and compiles a bundle, and notes its versions so that none of them can ever go back.
    pub(crate) async fn take(
        bundle: OrgBundle,
        anchor: &Anchor,
        keys: &AuthorityKeys,
        store: &dyn Store,
        now: UnixTime,
    ) -> Result<Self, BundleError> {
        let org = bundle.verify(anchor.root, &anchor.org, now)?;
        let own = keys.public();
        if org.authority.key != own.key || org.authority.noise != own.noise {
            return Err(BundleError::OtherAuthority);
        }
        let cedar = org
            .policy
            .as_ref()
            .map_or("", |policy| policy.cedar.as_str());
        let rules = Rules::compile(Side::Org, cedar)?;
        let enrolled = store.outlets().await?;
        let entries = entries(&bundle, &org, &enrolled, keys);
        let catalogue = accept(&bundle, &org, &entries, store).await?;
        let taken = entries
            .iter()
            .filter_map(|entry| entry.statement.enrolment.as_ref());
        let ticket_keys = taken.flat_map(|taken| taken.keys.clone()).collect();
        let hello = Hello {
            roots: bundle.roots.clone(),
            root: bundle.root,
            authority: bundle.authority.clone(),
        };
        Ok(Self {
            bundle,
            hello,
            org,
            entries,
            ticket_keys,
            rules,
            catalogue,
        })
    }

    /// Whose word counts, with these keys of the provider.
    pub(crate) fn trust<'a>(&'a self, keys: &'a KeySet) -> Trust<'a> {
        Trust {
            org: &self.org.org,
            root: &self.org.root,
            authority: &self.org.authority,
            idp: &self.org.idp,
            keys,
            former: &[],
        }
    }

    /// The services that the org's policy lets this person see.
    pub(crate) fn visible<'a>(&'a self, principal: &Principal, now: UnixTime) -> Vec<&'a Entry> {
        let moment = RequestContext::utc(now);
        let may_see = |entry: &&Entry| {
            self.rules
                .decide(principal, Action::See, &entry.resource, &moment, now)
                .is_ok()
        };
        self.entries.iter().filter(may_see).collect()
    }

    /// The services whose circuits the holder of this key joins.
    pub(crate) fn entries_through(&self, relay: &NoisePublic) -> impl Iterator<Item = &Entry> {
        let names = move |entry: &&Entry| {
            let mut relays = entry.statement.relays.iter();
            relays.any(|named| named.noise == *relay)
        };
        self.entries.iter().filter(names)
    }

    /// Under what terms this person may ask for the service; `None` if they may not.
    pub(crate) fn terms(
        &self,
        principal: &Principal,
        asking: Action,
        service: &ServiceName,
        now: UnixTime,
    ) -> Option<Terms> {
        let resource = &self.entry(service)?.resource;
        self.rules.terms(principal, asking, resource, now).ok()
    }

    /// Whether this person may decide about requests for the service.
    pub(crate) fn may_approve(
        &self,
        principal: &Principal,
        service: &ServiceName,
        now: UnixTime,
    ) -> bool {
        self.entry(service).is_some_and(|entry| {
            let decided = self.rules.may_approve(principal, &entry.resource, now);
            decided.is_ok()
        })
    }

    /// What this person has to ask for first, among what they may see, and on what terms.
    pub(crate) fn askable(&self, principal: &Principal, now: UnixTime) -> Vec<Askable> {
        let moment = RequestContext::utc(now);
        let asks = |entry: &&Entry| {
            let (rules, resource) = (&self.rules, &entry.resource);
            let open = rules.decide(principal, Action::Connect, resource, &moment, now);
            let terms = rules
                .terms(principal, Action::Request, resource, now)
                .ok()?;
            open.is_err().then(|| Askable {
                service: entry.statement.service.clone(),
                longest: terms.longest,
                usual: terms.usual,
                approvals: terms.approvals,
            })
        };
        self.visible(principal, now)
            .iter()
            .filter_map(asks)
            .collect()
    }

    /// Whether this key is an outlet's that a ticket made.
    pub(crate) fn has_enrolled(&self, peer: &PeerId) -> bool {
        let by_ticket = |entry: &&Entry| !entry.outlets.is_empty();
        let mut outlets = self.entries.iter().filter(by_ticket);
        outlets.any(|entry| {
            let mut keys = entry.statement.outlets.iter();
            keys.any(|keys| keys.identity.peer_id() == *peer)
        })
    }

    /// What differs from `older`.
    pub(crate) fn changes_since(&self, older: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let parts = [
            (self.bundle.roots != older.bundle.roots, Change::Roots),
            (
                self.bundle.authority != older.bundle.authority,
                Change::Authority,
            ),
            (self.bundle.idp != older.bundle.idp, Change::Provider),
            (
                self.bundle.policies != older.bundle.policies,
                Change::Policy,
            ),
        ];
        changes.extend(
            parts
                .into_iter()
                .filter_map(|(differs, change)| differs.then_some(change)),
        );
        for entry in &self.entries {
            match older.entry(&entry.statement.service) {
                None => changes.push(Change::ServiceAdded(entry.statement.service.clone())),
                Some(before) if before.jws != entry.jws || before.outlets != entry.outlets => {
                    changes.push(Change::ServiceChanged(entry.statement.service.clone()));
                }
                Some(_) => {}
            }
        }
        let gone = older
            .entries
            .iter()
            .filter(|entry| self.entry(&entry.statement.service).is_none());
        changes.extend(gone.map(|entry| Change::ServiceRemoved(entry.statement.service.clone())));
        changes
    }

    pub(crate) fn entry(&self, name: &ServiceName) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.statement.service == *name)
    }
}

/// What an authority is pinned to: given by whoever runs it, never read from the bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    pub org: OrgName,
    /// Fingerprint of an org root key.
    pub root: PeerId,
}

fn entries(
    bundle: &OrgBundle,
    org: &VerifiedOrg,
    enrolled: &[EnrolledOutlet],
    keys: &AuthorityKeys,
) -> Vec<Entry> {
    let pairs = org.services.iter().zip(&bundle.services);
    pairs
        .map(|(statement, jws)| {
            let outlets = outlets_of(statement, enrolled);
            Entry {
                resource: Resource::from(statement),
                handle: keys.veil.handle(&org.org, &statement.service),
                statement: statement.clone().with_outlets(&outlets),
                jws: jws.clone(),
                outlets,
            }
        })
        .collect()
}

/// The newest tickets that still make an outlet of this service, one for each key.
fn outlets_of(statement: &ServiceStatement, enrolled: &[EnrolledOutlet]) -> Vec<EnrolmentChain> {
    let mut keys = Vec::new();
    let own = enrolled
        .iter()
        .filter(|outlet| outlet.service == statement.service);
    own.filter(|outlet| match outlet.chain.outlet(statement) {
        Ok(outlet) if !keys.contains(&outlet.identity) => {
            keys.push(outlet.identity);
            true
        }
        Ok(_) | Err(_) => false,
    })
    .take(ServiceStatement::MAX_ENROLLED)
    .map(|outlet| outlet.chain.clone())
    .collect()
}

async fn accept(
    bundle: &OrgBundle,
    org: &VerifiedOrg,
    entries: &[Entry],
    store: &dyn Store,
) -> Result<u64, BundleError> {
    let mut seen = vec![
        part("authority", org.authority.version, &bundle.authority),
        part("idp", org.idp.version, &bundle.idp),
    ];
    seen.extend(
        org.policy
            .iter()
            .zip(&bundle.policies)
            .map(|(policy, jws)| part("policy", policy.version, jws)),
    );
    let mut services: Vec<_> = org
        .services
        .iter()
        .zip(&bundle.services)
        .map(|(service, jws)| {
            part(
                &format!("service/{}", service.service),
                service.version,
                jws,
            )
        })
        .collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let mut catalogue: Vec<u8> = services.iter().flat_map(|service| service.digest).collect();
    seen.extend(services);
    // An outlet more or less is a change of the catalogue too; without any, the digest is what it always was.
    let chains = entries.iter().flat_map(|entry| &entry.outlets);
    catalogue.extend(chains.flat_map(|chain| sha256(chain.enrolment.as_bytes())));
    match store.accept(&seen, sha256(&catalogue)).await? {
        Accepted::Yes { catalogue } => Ok(catalogue),
        Accepted::No { older, .. } if !older.is_empty() => Err(BundleError::Rollback(older)),
        Accepted::No { differing, .. } => Err(BundleError::SameVersion(differing)),
    }
}

fn part(name: &str, version: u64, jws: &str) -> Seen {
    Seen {
        name: name.to_owned(),
        version,
        digest: sha256(jws.as_bytes()),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
