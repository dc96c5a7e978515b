//! What the outlet knows, from whom, and since when: gathers verified statements and publishes them as one `Standing`.
//! Nothing in here ever goes back: versions, revocations and the epoch are kept on disk and only grow.

mod kept;
mod org;

pub(crate) use kept::Kept;
pub(crate) use org::{OrgFacts, Parts, Served};
pub use tidegate_link::kept::KeptError;

use crate::clock;
use crate::owner::{InForce, OwnersRules};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_proto::api::access::{FirstUse, GrantNews};
use tidegate_proto::grant::Grants;
use tidegate_proto::identity::{NoisePublic, PeerId, VerifyKey};
use tidegate_proto::idtoken::{FormerKeys, KeySet};
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::policy::{Policies, PolicyError, Resource};
use tidegate_proto::revocations::Revocations;
use tidegate_proto::session::Standing;
use tidegate_proto::statement::{
    Beacon, GrantId, IdpStatement, Newest, Revoked, Seen, ServiceKind, Statement, StatementError,
};
use tidegate_proto::time::{SKEW, UnixTime};
use tokio::sync::watch;

/// How long the provider's keys are believed after they were last fetched, in seconds (PROTOCOL section 4).
/// A fetch is due after ten minutes, and ID tokens usually last an hour: while the provider is away, nobody has a token that
/// outlives its keys here by much. Longer would serve whoever keeps the outlet from hearing that a stolen key was taken away.
pub(crate) const KEYS_LIVE: u64 = 70 * 60;

/// Why something that was sent to us is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{0}")]
    Statement(#[from] StatementError),
    #[error("the policy cannot be used: {0}")]
    Policy(#[from] PolicyError),
    #[error("the beacon was made at another time than this computer's clock says")]
    Clock,
    #[error("nothing is known yet that this could belong to")]
    TooEarly,
}

/// What changed by taking something in, for the audit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) what: Vec<&'static str>,
    pub(crate) revoked: Vec<Revoked>,
    /// Whether more is revoked than before.
    pub(crate) stricter: bool,
    /// What a beacon said of the newest versions.
    pub(crate) newest: Option<Newest>,
}

/// Who this outlet is and what it was told to serve; fixed for its life.
pub(crate) struct Me {
    pub(crate) org: OrgName,
    /// Fingerprint of the org root key, from the owner's configuration.
    pub(crate) root: PeerId,
    pub(crate) identity: VerifyKey,
    pub(crate) noise: NoisePublic,
    pub(crate) kinds: BTreeMap<ServiceName, ServiceKind>,
    /// Those where somebody is held to it who may only read.
    pub(crate) read_only: BTreeSet<ServiceName>,
}

/// What decisions are made on.
#[derive(Clone)]
pub(crate) struct Footing {
    pub(crate) standing: Arc<Standing>,
    /// Until when the provider's keys in it prove anything; what was proved before goes on to its own end.
    keys_until: UnixTime,
}

impl Footing {
    /// For judging AUTH and REAUTH: nothing, while the provider's keys are too old or another provider's.
    pub(crate) fn for_proofs(&self) -> Option<&Standing> {
        (clock::now() < self.keys_until).then_some(&*self.standing)
    }
}

/// The gathering place.
pub(crate) struct Known {
    me: Me,
    facts: Mutex<Facts>,
    footing: watch::Sender<Option<Footing>>,
    keeping: Mutex<()>,
    renewing: Mutex<()>,
}

struct Facts {
    /// All that the org root signed, or nothing yet.
    org: Option<OrgFacts>,
    owner: OwnersRules,
    keys: Option<ProviderKeys>,
    revocations: Revocations,
    grants: Grants,
    seen: Seen,
    /// The newest that the authority gave us.
    pass: Option<String>,
    /// When the newest beacon came, by our clock.
    beacon_at: UnixTime,
    /// When it was made, by the authority's.
    beacon_made: UnixTime,
}

/// The provider's keys, whose they are, and when they were fetched.
pub(crate) struct ProviderKeys {
    pub(crate) issuer: String,
    pub(crate) keys: KeySet,
    pub(crate) fetched: UnixTime,
    /// Those it used before.
    pub(crate) former: Vec<FormerKeys>,
}

impl Known {
    /// Begins with what was kept on disk.
    pub(crate) fn new(me: Me, owner: OwnersRules, kept: Kept) -> Self {
        let mut seen = kept.seen;
        let org = kept
            .parts
            .and_then(|parts| match OrgFacts::verify(parts, &me, &mut seen) {
                Ok(org) => Some(org),
                Err(error) => {
                    tracing::warn!(%error, "last known statements were not usable");
                    None
                }
            });
        let facts = Facts {
            org,
            owner,
            keys: None,
            revocations: kept.revocations,
            grants: kept.grants,
            seen,
            pass: kept.pass,
            beacon_at: kept.beacon_at,
            beacon_made: UnixTime(0),
        };
        Self {
            me,
            facts: Mutex::new(facts),
            footing: watch::Sender::new(None),
            keeping: Mutex::new(()),
            renewing: Mutex::new(()),
        }
    }

    /// What holds now, as it changes; `None` until everything is known that a decision needs.
    pub(crate) fn footing(&self) -> watch::Receiver<Option<Footing>> {
        self.footing.subscribe()
    }

    /// The provider's settings, once known.
    pub(crate) fn idp(&self) -> Option<IdpStatement> {
        self.facts().org.as_ref().map(|org| org.idp.clone())
    }

    /// The chain of roots, as it came.
    pub(crate) fn roots(&self) -> Vec<String> {
        let facts = self.facts();
        facts
            .org
            .as_ref()
            .map_or_else(Vec::new, |org| org.parts.roots.clone())
    }

    /// What we serve, by the catalogue and by our own configuration.
    pub(crate) fn served(&self) -> Vec<Served> {
        self.facts()
            .org
            .iter()
            .flat_map(|org| org.services.values().cloned())
            .collect()
    }

    /// The newest pass, perhaps from before a restart.
    pub(crate) fn pass(&self) -> Option<String> {
        self.facts().pass.clone()
    }

    /// Takes in a pass: relays judge it, not we.
    pub(crate) fn take_pass(&self, pass: String) {
        self.facts().pass = Some(pass);
    }

    /// Takes in what the authority passed on. All of it or nothing.
    pub(crate) fn take_parts(&self, parts: Parts) -> Result<Changes, NotTaken> {
        let mut facts = self.facts();
        let mut seen = facts.seen.clone();
        let org = OrgFacts::verify(parts, &self.me, &mut seen)?;
        org.authority.valid_at(clock::now())?;
        let what = org.differences(facts.org.as_ref());
        facts.org = Some(org);
        facts.seen = seen;
        self.publish(&facts);
        Ok(Changes {
            what,
            ..Changes::default()
        })
    }

    /// Takes in a beacon. What it revokes counts in any case; it is a sign of life only if it is fresh.
    pub(crate) fn take_beacon(&self, jws: &str) -> Result<Changes, NotTaken> {
        let now = clock::now();
        let mut facts = self.facts();
        let key = facts.org.as_ref().ok_or(NotTaken::TooEarly)?.authority.key;
        let beacon = Beacon::verify_for(jws, &key, &self.me.org)?;
        let before = facts.revocations.epoch_of(&key);
        let stricter = facts.revocations.learn(&beacon, &key, now);
        let fresh = beacon.at.plus(SKEW) >= now && beacon.at <= now.plus(SKEW);
        if fresh && beacon.at >= facts.beacon_made {
            (facts.beacon_at, facts.beacon_made) = (now, beacon.at);
        }
        self.publish(&facts);
        if !fresh {
            return Err(NotTaken::Clock);
        }
        if beacon.epoch < before {
            tracing::warn!(
                known = before,
                said = beacon.epoch,
                "authority went back to an older epoch"
            );
        }
        let news = beacon
            .revoked
            .into_iter()
            .filter(|revoked| stricter && revoked.epoch > before);
        Ok(Changes {
            what: Vec::new(),
            revoked: news.collect(),
            stricter,
            newest: Some(beacon.versions),
        })
    }

    /// When a grant was first used, as far as is known here.
    pub(crate) fn first_use(&self, grant: GrantId) -> Option<UnixTime> {
        self.facts().grants.first_use(grant)
    }

    /// Notes the first use of a grant. Says whether it is the first that is known of.
    pub(crate) fn use_grant(&self, grant: GrantId, now: UnixTime) -> bool {
        let mut facts = self.facts();
        facts.forget_grants();
        let first = facts.grants.first_use(grant).is_none();
        facts.grants.used(grant, now, now);
        self.publish(&facts);
        first
    }

    /// Takes back what `use_grant` noted at `at`, when it could not be kept and nothing was opened.
    pub(crate) fn unuse_grant(&self, grant: GrantId, at: UnixTime) {
        let mut facts = self.facts();
        facts.grants.unuse(grant, at);
        self.publish(&facts);
    }

    /// Takes in what the authority says of grants: an earlier use, an end. It can only shorten.
    /// Gives back those that were taken back, if that is news, and whether anything changed.
    pub(crate) fn take_news(&self, news: &GrantNews) -> (Vec<GrantId>, bool) {
        let mut facts = self.facts();
        // A clock that is behind the authority's forgets nothing sooner.
        let now = clock::now().max(facts.beacon_made);
        let before = facts.grants.clone();
        for used in &news.used {
            facts.grants.used(used.grant, used.at, now);
        }
        let mut ended = Vec::new();
        for back in &news.taken_back {
            if facts.grants.take_back(back.grant, now) {
                ended.push(back.grant);
            }
        }
        facts.forget_grants();
        let changed = before != facts.grants;
        if changed {
            self.publish(&facts);
        }
        (ended, changed)
    }

    /// The first uses that are remembered.
    pub(crate) fn first_uses(&self) -> Vec<FirstUse> {
        let facts = self.facts();
        let uses = facts.grants.uses();
        let told = |(grant, at, until)| FirstUse { grant, at, until };
        uses.map(told).collect()
    }

    /// Takes in the provider's keys. Says whether their ids differ from those before.
    pub(crate) fn take_keys(&self, keys: ProviderKeys) -> bool {
        let mut facts = self.facts();
        let new = match &facts.keys {
            Some(old) => old.issuer != keys.issuer || !old.keys.kids().eq(keys.keys.kids()),
            None => true,
        };
        facts.keys = Some(keys);
        self.publish(&facts);
        new
    }

    /// Takes in the owner's policy.
    fn take_owner(&self, owner: OwnersRules) {
        let mut facts = self.facts();
        facts.owner = owner;
        self.publish(&facts);
    }

    /// Takes in what `read` gives, knowing the newest that was signed so far. One at a time: of two, the older does not come last.
    pub(crate) fn renew_owner<E>(
        &self,
        read: impl FnOnce(Option<InForce>) -> Result<OwnersRules, E>,
    ) -> Result<(), E> {
        let _one = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.facts().owner.in_force;
        self.take_owner(read(newest)?);
        Ok(())
    }

    /// Writes down what must survive a restart. Blocks; whoever comes last writes the newest.
    pub(crate) fn keep(&self, data: &Path) -> Result<(), KeptError> {
        let _one = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.to_keep().store(data)
    }

    fn to_keep(&self) -> Kept {
        let facts = self.facts();
        Kept {
            parts: facts.org.as_ref().map(|org| org.parts.clone()),
            revocations: facts.revocations.clone(),
            grants: facts.grants.clone(),
            seen: facts.seen.clone(),
            beacon_at: facts.beacon_at,
            pass: facts.pass.clone(),
            owner: facts.owner.in_force,
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, facts: &Facts) {
        self.footing.send_replace(facts.footing(&self.me));
    }
}

impl Facts {
    /// By the authority's clock, and only while ours agrees with it.
    fn forget_grants(&mut self) {
        self.grants.forget(self.beacon_made);
    }

    fn footing(&self, me: &Me) -> Option<Footing> {
        let keys = self.keys.as_ref()?;
        let standing = self.standing(me, keys)?;
        // Keys of a former provider, or keys that nobody has confirmed for too long, prove nothing new.
        let keys_until = match keys.issuer == standing.idp.issuer {
            true => keys.fetched.plus(KEYS_LIVE),
            false => UnixTime(0),
        };
        Some(Footing {
            standing: Arc::new(standing),
            keys_until,
        })
    }

    fn standing(&self, me: &Me, keys: &ProviderKeys) -> Option<Standing> {
        let org = self.org.as_ref()?;
        let resource = |served: &Served| Resource::from(&served.statement);
        Some(Standing {
            org: me.org.clone(),
            root: org.root,
            authority: org.authority.clone(),
            idp: org.idp.clone(),
            keys: keys.keys.clone(),
            former: keys.former.clone(),
            revocations: self.revocations.clone(),
            grants: self.grants.clone(),
            policy: Policies::new(org.rules.clone(), self.owner.rules.clone()),
            services: org
                .services
                .iter()
                .map(|(name, served)| (name.clone(), resource(served)))
                .collect(),
            read_only: me.read_only.clone(),
            beacon_at: self.beacon_at,
        })
    }
}

#[cfg(test)]
mod tests;
