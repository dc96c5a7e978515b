//! Signs of life: the beacon of the moment, signed every five seconds and at once when something changed.
//! Outlets get every revocation; anybody else's beacon names nobody but themselves: who else left is not their business.

use std::sync::Arc;

use tidegate_proto::{
    grant::Grants,
    session::GRACE,
    statement::{Beacon, Credential, Newest, RevokeTarget, Revoked, Statement},
    time::{SKEW, UnixTime},
};

use crate::{caller::Who, in_force::InForce, keys::AuthorityKeys, store::Past};

/// A revocation is listed for so long, seconds: twice as long as anything that rests on a credential from before it can live.
const LISTED: u64 = 2 * (Credential::LIFE + GRACE + SKEW);
/// And for so long where there is room: what somebody approved lives longer. An outlet that finds one missing asks for
/// newer approvals.
const LISTED_WITH_ROOM: u64 = Grants::KEPT;
/// Bytes of one beacon that revocations may take: a statement of 24 KiB is base64 of 18.
const LIST_BYTES: usize = 14 * 1024;
/// One revocation costs its subject and so many bytes more, at most.
const ENTRY_BYTES: usize = 64;

/// What is said at one moment.
pub(crate) struct Signs {
    /// For outlets.
    full: Arc<str>,
    /// For all others whom nothing in the list concerns.
    bare: Arc<str>,
    beacon: Beacon,
}

impl Signs {
    /// Signs the moment. `past` is the newest revocations first, more than a beacon can hold.
    pub(crate) fn make(
        keys: &AuthorityKeys,
        in_force: &InForce,
        (past, epoch): (&[Past], u64),
        now: UnixTime,
    ) -> Self {
        let (revoked, floor) = listed(past, now);
        let beacon = Beacon {
            org: in_force.org.org.clone(),
            epoch,
            at: now,
            versions: Newest {
                services: in_force.catalogue,
                policies: in_force
                    .org
                    .policy
                    .as_ref()
                    .map_or(0, |policy| policy.version),
                idp: in_force.org.idp.version,
            },
            revoked,
            floor,
        };
        let bare = Beacon {
            revoked: Vec::new(),
            ..beacon.clone()
        };
        Self {
            full: beacon.sign(&keys.signing).into(),
            bare: bare.sign(&keys.signing).into(),
            beacon,
        }
    }

    /// The beacon that `who` may read.
    pub(crate) fn for_caller(&self, keys: &AuthorityKeys, who: &Who) -> Arc<str> {
        if let Who::Outlet { .. } = who {
            return Arc::clone(&self.full);
        }
        let own: Vec<Revoked> = self.concerning(who).cloned().collect();
        if own.is_empty() {
            return Arc::clone(&self.bare);
        }
        Beacon {
            revoked: own,
            ..self.beacon.clone()
        }
        .sign(&keys.signing)
        .into()
    }

    /// Whether a revocation after `epoch` shuts this one out.
    pub(crate) fn shuts_out(&self, who: &Who, epoch: u64) -> bool {
        self.concerning(who).any(|revoked| epoch < revoked.epoch)
    }

    fn concerning<'a>(&'a self, who: &'a Who) -> impl Iterator<Item = &'a Revoked> {
        self.beacon
            .revoked
            .iter()
            .filter(|revoked| who.is(&revoked.who))
    }
}

/// The revocations that still matter, and the floor that stands for those that do not fit.
fn listed(past: &[Past], now: UnixTime) -> (Vec<Revoked>, u64) {
    let (mut list, mut bytes) = (Vec::new(), 0);
    for one in past {
        if one.received.plus(LISTED_WITH_ROOM) < now {
            break;
        }
        bytes += ENTRY_BYTES
            + match &one.revoked.who {
                // Quotes and backslashes double when they are written.
                RevokeTarget::Subject(sub) => 2 * sub.as_str().len(),
                RevokeTarget::Device(_) => 44,
            };
        if list.len() == Beacon::MAX_REVOKED || bytes > LIST_BYTES {
            if one.received.plus(LISTED) < now {
                break;
            }
            // Everybody from before asks for a new credential; those who were revoked get none.
            return (list, one.revoked.epoch);
        }
        list.push(one.revoked.clone());
    }
    (list, 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn past(count: u64, name: &str) -> Vec<Past> {
        let one = |epoch: u64| Past {
            revoked: Revoked {
                who: RevokeTarget::Subject(format!("{epoch}{name}").parse().unwrap()),
                epoch,
            },
            received: NOW,
        };
        (1..=count).rev().map(one).collect()
    }

    #[test]
    fn what_does_not_fit_raises_the_floor() {
        assert_eq!(listed(&past(100, ""), NOW).1, 0);

        let (list, floor) = listed(&past(101, ""), NOW);

        assert_eq!((list.len(), floor), (100, 1));
        assert!(list.iter().all(|revoked| revoked.epoch > floor));
    }

    #[test]
    fn the_longest_names_still_fit_into_a_statement() {
        use tidegate_proto::identity::SigningKey;

        let key = SigningKey::from_seed(&[1; 32]);
        let (revoked, floor) = listed(&past(100, &"\\".repeat(250)), NOW);
        let beacon = Beacon {
            org: "a".repeat(63).parse().unwrap(),
            epoch: 100,
            at: NOW,
            versions: Newest::default(),
            revoked,
            floor,
        };

        assert!(Beacon::verify(&beacon.sign(&key), &key.verify_key()).is_ok());
        assert!(floor > 0);
    }

    #[test]
    fn a_revocation_is_listed_until_nothing_from_before_it_can_live() {
        let after = |seconds| listed(&past(3, ""), NOW.plus(seconds)).0.len();
        assert_eq!(after(LISTED_WITH_ROOM), 3);
        assert_eq!(after(LISTED_WITH_ROOM + 1), 0);
    }

    #[test]
    fn one_that_matters_to_approvals_alone_ends_nobodys_session_when_there_is_no_room_for_it() {
        let crowd = past(101, "");

        assert_eq!(listed(&crowd, NOW.plus(LISTED)).1, 1);
        let (list, floor) = listed(&crowd, NOW.plus(LISTED + 1));

        assert_eq!((list.len(), floor), (100, 0));
    }
}
