//! What is known about revocations; kept on disk by whoever checks credentials (PROTOCOL section 10).
//! It only ever grows stricter: an old beacon, a shorter list or a lower epoch changes nothing. What an authority said of its
//! own credentials is forgotten with its key, and only the org root gives it another: a stolen key poisons nothing for longer.

use crate::{
    identity::{PeerId, VerifyKey},
    names::Subject,
    statement::{Beacon, Credential, RevokeTarget, Revoked},
    time::UnixTime,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Whose credentials all this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_by: Option<VerifyKey>,
    epoch: u64,
    floor: u64,
    /// Below this epoch something may have been revoked of which nobody told us: it had left the list before we listened.
    /// That is nothing to credentials, which are younger than the list is long; what somebody approved lives longer.
    #[serde(default, skip_serializing_if = "is_none")]
    unheard: u64,
    subjects: BTreeMap<Subject, u64>,
    devices: BTreeMap<PeerId, u64>,
    /// When the floor rose of late, oldest first. Not kept: nothing runs across a restart.
    #[serde(skip)]
    rises: Vec<Rise>,
}

/// What is none is not written: a memory in which nothing is unheard of reads as it did before there was the word.
fn is_none(epoch: &u64) -> bool {
    *epoch == 0
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
    /// The highest epoch that `by` has said, or 0.
    #[must_use]
    pub fn epoch_of(&self, by: &VerifyKey) -> u64 {
        match self.said_by {
            Some(said_by) if said_by != *by => 0,
            _ => self.epoch,
        }
    }

    /// Takes in a beacon that `by` signed, the key of this org's authority. Says whether anything became stricter.
    pub fn learn(&mut self, beacon: &Beacon, by: &VerifyKey, now: UnixTime) -> bool {
        if self.said_by.is_some_and(|before| before != *by) {
            // No credential of the former key is taken any more, and what runs on one is out as soon as it is named again.
            *self = Self::default();
        }
        self.said_by = Some(*by);
        let before = (self.epoch, self.floor, self.unheard, self.len());
        let mut stricter = false;
        self.unheard = self.unheard.max(self.newest_unlisted(beacon));
        self.raise_floor(beacon.floor, now);
        for revoked in &beacon.revoked {
            stricter |= self.revoke(revoked);
        }
        self.epoch = self.epoch.max(beacon.epoch);
        if self.len() > MAX_REMEMBERED {
            self.forget_the_older_half(now);
        }
        stricter || before != (self.epoch, self.floor, self.unheard, self.len())
    }

    /// Whether a credential that `by` gave may not be shown any more.
    #[must_use]
    pub fn covers(&self, credential: &Credential, by: &VerifyKey) -> bool {
        let Credential {
            sub, cnf, epoch, ..
        } = credential;
        self.against((sub, *cnf), *epoch, by).is_some()
    }

    /// What speaks against that which `by` said of a person's device in `epoch`.
    #[must_use]
    pub fn against(
        &self,
        (sub, device): (&Subject, PeerId),
        epoch: u64,
        by: &VerifyKey,
    ) -> Option<Against> {
        let subject = self.subjects.get(sub).copied().unwrap_or(0);
        let named = self.devices.get(&device).copied().unwrap_or(0).max(subject);
        if self.said_by.is_some_and(|said_by| said_by != *by) {
            // Two keys, two counts: only that somebody is named means the same in both.
            return (named > 0).then_some(Against::Revoked);
        }
        if epoch < named {
            return Some(Against::Revoked);
        }
        if epoch >= self.floor {
            return None;
        }
        let rise = self.rises.iter().find(|rise| epoch < rise.floor);
        let since = rise.map_or(UnixTime(0), |rise| rise.at);
        Some(Against::Floor { since })
    }

    /// As `against`, for what the person approved then: also what nobody told us of counts.
    #[must_use]
    pub fn against_approval(
        &self,
        who: (&Subject, PeerId),
        epoch: u64,
        by: &VerifyKey,
    ) -> Option<Against> {
        // Whoever has heard nothing at all yet has not heard of anybody.
        let unheard = match self.said_by {
            None => true,
            Some(said_by) => said_by == *by && epoch < self.unheard,
        };
        let since = UnixTime(0);
        self.against(who, epoch, by)
            .or_else(|| unheard.then_some(Against::Floor { since }))
    }

    /// The newest epoch since the last one we know of that the beacon does not list, or 0: each revocation has one of its own.
    fn newest_unlisted(&self, beacon: &Beacon) -> u64 {
        let listed: BTreeSet<u64> = beacon.revoked.iter().map(|one| one.epoch).collect();
        let mut epoch = beacon.epoch;
        while epoch > self.epoch && listed.contains(&epoch) {
            epoch -= 1;
        }
        if epoch > self.epoch { epoch } else { 0 }
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

    fn revoke(&mut self, revoked: &Revoked) -> bool {
        let known = match &revoked.who {
            RevokeTarget::Subject(sub) => self.subjects.entry(sub.clone()).or_default(),
            RevokeTarget::Device(device) => self.devices.entry(*device).or_default(),
        };
        let stricter = revoked.epoch > *known;
        *known = revoked.epoch.max(*known);
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
        testing::{NOW, World, key, org},
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

    fn by() -> VerifyKey {
        World::new().authority.verify_key()
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

        assert!(!known.covers(&credential, &by()));
        assert!(known.learn(&beacon(8, ana(8), 0), &by(), NOW));
        assert!(known.covers(&credential, &by()));

        assert!(
            !known.learn(&beacon(3, vec![], 0), &by(), NOW),
            "an old beacon changes nothing"
        );
        assert!(
            !known.learn(&beacon(8, ana(2), 0), &by(), NOW),
            "nor does a lower epoch for the same person"
        );
        assert_eq!(known.epoch_of(&by()), 8);
        assert!(known.covers(&credential, &by()));
        let newer = Credential {
            epoch: 8,
            ..credential.clone()
        };
        assert!(
            !known.covers(&newer, &by()),
            "what was issued after the revocation counts"
        );

        let kept = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Revocations>(&kept).unwrap(), known);
        assert!(known.learn(&beacon(9, vec![], 9), &by(), NOW));
        assert!(known.covers(&newer, &by()), "below the floor nobody is in");
    }

    fn device() -> PeerId {
        World::new().credential().cnf
    }

    #[test]
    fn more_revocations_than_are_remembered_make_it_stricter_not_forgetful() {
        let mut known = Revocations::default();
        let last = MAX_REMEMBERED as u64 + 1;
        let (by, device) = (by(), device());
        for n in 1..=last {
            let who = RevokeTarget::Subject(format!("u{n}").parse().unwrap());
            known.learn(&beacon(n, vec![Revoked { who, epoch: n }], 0), &by, NOW);
        }

        assert!(known.len() <= MAX_REMEMBERED);
        let against = |who: &str, epoch| known.against((&who.parse().unwrap(), device), epoch, &by);
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
    fn what_was_revoked_while_nobody_listened_takes_back_the_approvals_from_before() {
        let by = by();
        let ana = "00uana".parse().unwrap();
        let mut known = Revocations::default();
        known.learn(&beacon(7, vec![], 0), &by, NOW);
        let approved = |known: &Revocations, epoch| {
            let against = known.against_approval((&ana, device()), epoch, &by);
            against.is_some()
        };
        assert!(!approved(&known, 7));
        assert!(approved(&known, 6), "it began to listen later");
        assert!(approved(&Revocations::default(), 7), "it has not begun");

        // One at a time, each of them listed: nothing is missed.
        let other = |epoch| Revoked {
            who: RevokeTarget::Subject("00ueve".parse().unwrap()),
            epoch,
        };
        known.learn(&beacon(8, vec![other(8)], 0), &by, NOW);
        assert!(!approved(&known, 7));
        known.learn(&beacon(10, vec![other(10)], 0), &by, NOW);

        assert!(approved(&known, 8), "the ninth was never heard of");
        assert!(!approved(&known, 9) && !approved(&known, 10));
        let credential = known.against((&ana, device()), 7, &by);
        assert_eq!(credential, None, "it would have ended by itself");
        let kept = serde_json::to_string(&known).unwrap();
        let mut kept: Revocations = serde_json::from_str(&kept).unwrap();
        assert!(approved(&kept, 8));
        assert!(!kept.learn(&beacon(3, vec![], 0), &by, NOW) && approved(&kept, 8));
    }

    #[test]
    fn a_floor_says_since_when_however_often_it_rises() {
        let mut known = Revocations::default();
        let ana = "00uana".parse().unwrap();
        let (by, device) = (by(), device());
        let later = |seconds| NOW.plus(seconds);

        for second in 0..600 {
            known.learn(
                &beacon(100 + second, vec![], 8 + second),
                &by,
                later(second),
            );
        }

        let since = |epoch| match known.against((&ana, device), epoch, &by) {
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
    fn what_a_stolen_key_said_is_forgotten_with_the_key() {
        let mut known = Revocations::default();
        let (stolen, next) = (key(30).verify_key(), key(31).verify_key());
        let credential = World::new().credential();
        known.learn(&beacon(u64::MAX, ana(u64::MAX), u64::MAX), &stolen, NOW);
        assert!(known.covers(&credential, &stolen));
        let running = |known: &Revocations, epoch| {
            known.against((&credential.sub, credential.cnf), epoch, &stolen)
        };

        known.learn(&beacon(1, vec![], 0), &next, NOW);

        assert!(!known.covers(&credential, &next));
        assert_eq!(known.epoch_of(&next), 1);
        assert_eq!(running(&known, 900), None, "it goes on to its own end");
        known.learn(&beacon(2, ana(2), 0), &next, NOW);
        assert_eq!(running(&known, 900), Some(Against::Revoked));
    }
}
