//! The provider's keys on disk, so that a restart without a way to the provider still knows people.
//! Whoever can write this file could invent people: it is read only if nobody else can change it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tidegate_link::keyfile::{self, KeyFileError};
use tidegate_proto::idtoken::{FormerKeys, KeySet, MAX_KEY_SET};
use tidegate_proto::statement::IdpStatement;
use tidegate_proto::time::UnixTime;

const FILE: &str = "provider-keys.json";

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    pub(super) issuer: String,
    pub(crate) fetched: UnixTime,
    /// As the provider sent it.
    pub(super) jwks: String,
    /// What it sent before, newest first.
    #[serde(default)]
    pub(super) former: Vec<Former>,
}

/// A set that the provider has replaced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Former {
    pub(super) jwks: String,
    /// When that was noticed.
    pub(super) until: UnixTime,
}

/// Sets that are kept, and their bytes: a provider that changes its keys every few hours keeps within both.
const MOST_FORMER: usize = 128;
const FORMER_BYTES: usize = 2 * MAX_KEY_SET;

impl Cache {
    pub(super) fn first(idp: &IdpStatement, jwks: String, now: UnixTime) -> Self {
        Self {
            issuer: idp.issuer.clone(),
            fetched: now,
            jwks,
            former: Vec::new(),
        }
    }

    /// The next one: `jwks` takes the place of what was there, which is kept for what was approved in its time.
    pub(super) fn followed_by(self, idp: &IdpStatement, jwks: String, now: UnixTime) -> Self {
        if self.issuer != idp.issuer {
            return Self::first(idp, jwks, now);
        }
        let mut former = self.former;
        let kids = |jwks: &str| {
            let keys = KeySet::parse(jwks.as_bytes(), &idp.algorithms);
            keys.map_or_else(
                |_| BTreeSet::new(),
                |keys| keys.kids().map(str::to_owned).collect(),
            )
        };
        let gone = kids(&self.jwks);
        // Some providers write the same keys in another order each time.
        if !gone.is_subset(&kids(&jwks)) {
            former.retain(|one| !kids(&one.jwks).is_subset(&gone));
            let (jwks, until) = (self.jwks, now);
            former.insert(0, Former { jwks, until });
        }
        let mut room = FORMER_BYTES;
        former.truncate(MOST_FORMER);
        former.retain(|one| {
            room = room.saturating_sub(one.jwks.len());
            room > 0 && !one.until.plus(FormerKeys::KEPT).has_ended(now)
        });
        Self {
            former,
            ..Self::first(idp, jwks, now)
        }
    }

    pub(super) fn former_keys(&self, idp: &IdpStatement) -> Vec<FormerKeys> {
        let read = |former: &Former| {
            let keys = KeySet::parse(former.jwks.as_bytes(), &idp.algorithms).ok()?;
            let until = former.until;
            Some(FormerKeys { keys, until })
        };
        self.former.iter().filter_map(read).collect()
    }
}

impl Cache {
    /// What is there, if it can be used; a cache that cannot is no reason to stop.
    pub(crate) async fn load(data: PathBuf) -> Option<Self> {
        tokio::task::spawn_blocking(move || Self::read(&data))
            .await
            .ok()?
    }

    fn read(data: &Path) -> Option<Self> {
        match keyfile::read(&data.join(FILE), 9 * MAX_KEY_SET) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(KeyFileError::Missing) => None,
            Err(error) => {
                tracing::warn!(%error, "cached provider keys were not used");
                None
            }
        }
    }

    pub(super) async fn store(&self, data: PathBuf) {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let bytes = serde_json::to_vec(&this).expect("texts and a number serialise");
            keyfile::replace(&data.join(FILE), &bytes)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "provider keys were not cached");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tidegate_proto::statement::Algorithm;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn idp() -> IdpStatement {
        IdpStatement {
            org: "acme".parse().unwrap(),
            issuer: "https://idp.test".into(),
            client_id: "0oa".into(),
            algorithms: vec![Algorithm::ES256],
            redirect_ports: [8250, 18250, 28250],
            groups_claim: "groups".into(),
            key_host: "idp.test:443".parse().unwrap(),
            ca_pem: None,
            max_session: 3600,
            version: 1,
        }
    }

    fn set(kids: &[&str]) -> String {
        let key = |kid: &&str| {
            format!(
                r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","alg":"ES256",
                "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}"#
            )
        };
        let keys: Vec<_> = kids.iter().map(key).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    fn former(cache: &Cache) -> Vec<(Vec<String>, u64)> {
        let keys = cache.former_keys(&idp());
        let one = |former: &FormerKeys| {
            let kids = former.keys.kids().map(str::to_owned).collect();
            (kids, NOW.until(former.until))
        };
        keys.iter().map(one).collect()
    }

    #[test]
    fn what_the_provider_used_before_is_kept_until_no_approval_rests_on_it() {
        let kids = |kids: &[&str]| kids.iter().map(|&kid| kid.to_owned()).collect::<Vec<_>>();
        let cache = Cache::first(&idp(), set(&["a", "b"]), NOW);

        let same = cache.followed_by(&idp(), set(&["b", "a"]), NOW.plus(1));
        assert_eq!(former(&same), []);
        let more = same.followed_by(&idp(), set(&["a", "b", "c"]), NOW.plus(2));
        assert_eq!(former(&more), []);
        let turned = more.followed_by(&idp(), set(&["c"]), NOW.plus(3));
        assert_eq!(former(&turned), [(kids(&["a", "b", "c"]), 3)]);
        let kept = serde_json::to_vec(&turned).unwrap();
        let again: Cache = serde_json::from_slice(&kept).unwrap();
        assert_eq!(again, turned);

        let late = NOW.plus(3 + FormerKeys::KEPT + 60);
        let over = turned.clone().followed_by(&idp(), set(&["c"]), late);
        assert_eq!(former(&over), []);
        let other = IdpStatement {
            issuer: "https://other.test".into(),
            ..idp()
        };
        assert_eq!(former(&turned.followed_by(&other, set(&["x"]), NOW)), []);
    }

    #[test]
    fn a_provider_that_changes_its_keys_all_the_time_fills_nothing() {
        let mut cache = Cache::first(&idp(), set(&["k0"]), NOW);
        for n in 1..3_000 {
            cache = cache.followed_by(&idp(), set(&[&format!("k{n}")]), NOW.plus(n));
        }

        assert_eq!(cache.former.len(), MOST_FORMER);
        assert_eq!(former(&cache)[0].0, ["k2998"]);
    }
}
