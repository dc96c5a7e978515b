//! What is known about revocations; kept on disk by whoever checks credentials (PROTOCOL section 7).
//! It only ever grows stricter: an old beacon, a shorter list or a lower epoch changes nothing.

use crate::{
    identity::PeerId,
    names::Subject,
    statement::{Beacon, Credential, RevokeTarget, Revoked},
    time::{SKEW, UnixTime},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most revocations that are remembered one by one; beyond, the floor takes the place of the oldest.
pub const MAX_REMEMBERED: usize = 10_000;
/// Floors that rose within so many seconds of each other count as one that rose with the first.
const AT_ONCE: u64 = 5;
/// So many rises are told apart; they span minutes, and nobody is given longer than one.
const MAX_RISES: usize = 32;

/// Revocations by person and device, and the epoch they go up to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    epoch: u64,
    floor: u64,
    subjects: BTreeMap<Subject, u64>,
    devices: BTreeMap<PeerId, u64>,
    /// When the floor rose of late, oldest first. Not kept: nothing runs across a restart.
    #[serde(skip)]
    rises: Vec<Rise>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Rise {
    floor: u64,
    at: UnixTime,
}

/// What is held against a credential.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Against {
    /// Its person or device was revoked.
    Revoked,
    /// It is below the floor, since then: everybody is asked for a newer one, and who was revoked gets none.
    Floor { since: UnixTime },
}

impl Revocations {
    /// The highest epoch seen.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes in a verified beacon of this org. Says whether anything became stricter.
    ///
    /// An honest epoch is never ahead of the clock: what claims to be counts as of now. Otherwise whoever once held the
    /// authority's key could shut everybody out for ever, also from under the key that takes its place.
    pub fn learn(&mut self, beacon: &Beacon, now: UnixTime) -> bool {
        let before = (self.epoch, self.floor, self.len());
        let most = now.plus(SKEW).0;
        let mut stricter = false;
        self.raise_floor(beacon.floor.min(most), now);
        for revoked in &beacon.revoked {
            stricter |= self.revoke(revoked, most);
        }
        self.epoch = self.epoch.max(beacon.epoch.min(most));
        if self.len() > MAX_REMEMBERED {
            self.forget_the_older_half(now);
        }
        stricter || before != (self.epoch, self.floor, self.len())
    }

    /// Whether a credential may not be shown any more.
    #[must_use]
    pub fn covers(&self, credential: &Credential) -> bool {
        self.against(&credential.sub, credential.cnf, credential.epoch)
            .is_some()
    }

    /// What speaks against that which was said of a person's device in `epoch`.
    #[must_use]
    pub fn against(&self, sub: &Subject, device: PeerId, epoch: u64) -> Option<Against> {
        let subject = self.subjects.get(sub).copied().unwrap_or(0);
        let device = self.devices.get(&device).copied().unwrap_or(0);
        if epoch < subject.max(device) {
            return Some(Against::Revoked);
        }
        if epoch >= self.floor {
            return None;
        }
        let rise = self.rises.iter().find(|rise| epoch < rise.floor);
        let since = rise.map_or(UnixTime(0), |rise| rise.at);
        Some(Against::Floor { since })
    }

    fn raise_floor(&mut self, floor: u64, now: UnixTime) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        match self.rises.last_mut() {
            Some(last) if last.at.until(now) <= AT_ONCE => last.floor = floor,
            _ => self.rises.push(Rise { floor, at: now }),
        }
        if self.rises.len() > MAX_RISES {
            // What was below it has been below it for minutes.
            self.rises.remove(0);
        }
    }

    fn revoke(&mut self, revoked: &Revoked, most: u64) -> bool {
        let epoch = revoked.epoch.min(most);
        let known = match &revoked.who {
            RevokeTarget::Subject(sub) => self.subjects.entry(sub.clone()).or_default(),
            RevokeTarget::Device(device) => self.devices.entry(*device).or_default(),
        };
        let stricter = epoch > *known;
        *known = epoch.max(*known);
        stricter
    }

    /// Forgetting one would let somebody back in; asking everybody from before for a new credential does not.
    fn forget_the_older_half(&mut self, now: UnixTime) {
        let mut epochs: Vec<u64> = self
            .subjects
            .values()
            .chain(self.devices.values())
            .copied()
            .collect();
        epochs.sort_unstable();
        let Some(&middle) = epochs.get(epochs.len() / 2) else {
            return;
        };
        self.subjects.retain(|_, epoch| *epoch > middle);
        self.devices.retain(|_, epoch| *epoch > middle);
        self.raise_floor(middle, now);
    }

    fn len(&self) -> usize {
        self.subjects.len() + self.devices.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        statement::Newest,
        testing::{NOW, World, org},
    };

    fn beacon(epoch: u64, revoked: Vec<Revoked>, floor: u64) -> Beacon {
        Beacon {
            org: org(),
            epoch,
            at: NOW,
            versions: Newest::default(),
            revoked,
            floor,
        }
    }

    fn ana(epoch: u64) -> Vec<Revoked> {
        vec![Revoked {
            who: RevokeTarget::Subject("00uana".parse().unwrap()),
            epoch,
        }]
    }

    #[test]
    fn an_epoch_never_goes_back() {
        let mut known = Revocations::default();
        let credential = World::new().credential(); // of epoch 7

        assert!(!known.covers(&credential));
        assert!(known.learn(&beacon(8, ana(8), 0), NOW));
        assert!(known.covers(&credential));

        assert!(
            !known.learn(&beacon(3, vec![], 0), NOW),
            "an old beacon changes nothing"
        );
        assert!(
            !known.learn(&beacon(8, ana(2), 0), NOW),
            "nor does a lower epoch for the same person"
        );
        assert_eq!(known.epoch(), 8);
        assert!(known.covers(&credential));
        let newer = Credential {
            epoch: 8,
            ..credential.clone()
        };
        assert!(
            !known.covers(&newer),
            "what was issued after the revocation counts"
        );

        let kept = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Revocations>(&kept).unwrap(), known);
        assert!(known.learn(&beacon(9, vec![], 9), NOW));
        assert!(known.covers(&newer), "below the floor nobody is in");
    }

    fn device() -> PeerId {
        World::new().credential().cnf
    }

    #[test]
    fn more_revocations_than_are_remembered_make_it_stricter_not_forgetful() {
        let mut known = Revocations::default();
        let last = MAX_REMEMBERED as u64 + 1;
        for n in 1..=last {
            let who = RevokeTarget::Subject(format!("u{n}").parse().unwrap());
            known.learn(&beacon(n, vec![Revoked { who, epoch: n }], 0), NOW);
        }

        assert!(known.len() <= MAX_REMEMBERED);
        let against = |who: &str, epoch| known.against(&who.parse().unwrap(), device(), epoch);
        let since = NOW;
        assert_eq!(against("u1", 0), Some(Against::Floor { since }));
        assert_eq!(
            against(&format!("u{last}"), last - 1),
            Some(Against::Revoked),
            "the newest are still named"
        );
        assert_eq!(against("somebody", last - 1), None);
    }

    #[test]
    fn a_floor_says_since_when_however_often_it_rises() {
        let mut known = Revocations::default();
        let ana = "00uana".parse().unwrap();
        let later = |seconds| NOW.plus(seconds);

        for second in 0..600 {
            known.learn(&beacon(100 + second, vec![], 8 + second), later(second));
        }

        let since = |epoch| match known.against(&ana, device(), epoch) {
            Some(Against::Floor { since }) => Some(since),
            _ => None,
        };
        assert_eq!(since(607), None);
        assert!(since(606).unwrap() >= later(590));
        assert!(since(500).unwrap() <= later(500));
        assert!(since(7).unwrap() <= later(500), "long below it");
        assert!(known.rises.len() <= MAX_RISES);
    }

    #[test]
    fn whoever_held_the_authoritys_key_can_shut_out_only_what_is_from_before() {
        let mut known = Revocations::default();
        let poison = beacon(u64::MAX, ana(u64::MAX), u64::MAX);

        known.learn(&poison, NOW);

        let credential = World::new().credential();
        assert!(known.covers(&credential));
        let after = Credential {
            epoch: NOW.plus(SKEW).0,
            ..credential
        };
        assert!(
            !known.covers(&after),
            "of the authority that was put in its place"
        );
        assert!(known.epoch() <= NOW.plus(SKEW).0);
    }
}
