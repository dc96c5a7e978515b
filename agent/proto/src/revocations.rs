//! What is known about revocations; kept on disk by whoever checks credentials (PROTOCOL section 7).
//! It only ever grows stricter: an old beacon, a shorter list or a lower epoch changes nothing.

use crate::{
    identity::PeerId,
    names::Subject,
    statement::{Beacon, Credential, RevokeTarget, Revoked},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most revocations that are remembered one by one; beyond, the floor is raised for everybody.
pub const MAX_REMEMBERED: usize = 10_000;

/// Revocations by person and device, and the epoch they go up to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    epoch: u64,
    floor: u64,
    subjects: BTreeMap<Subject, u64>,
    devices: BTreeMap<PeerId, u64>,
}

impl Revocations {
    /// The highest epoch seen.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes in a verified beacon of this org. Says whether anything became stricter.
    pub fn learn(&mut self, beacon: &Beacon) -> bool {
        let before = (self.epoch, self.floor, self.len());
        let mut stricter = false;
        self.floor = self.floor.max(beacon.floor);
        for revoked in &beacon.revoked {
            stricter |= self.revoke(revoked);
        }
        self.epoch = self.epoch.max(beacon.epoch);
        if self.len() > MAX_REMEMBERED {
            // Forgetting one would let somebody back in; asking everybody for a new credential does not.
            self.floor = self.epoch;
            self.subjects.clear();
            self.devices.clear();
        }
        stricter || before != (self.epoch, self.floor, self.len())
    }

    /// Whether a credential is from before its person's or device's revocation.
    #[must_use]
    pub fn covers(&self, credential: &Credential) -> bool {
        self.revokes(&credential.sub, credential.cnf, credential.epoch)
    }

    /// Whether what was said of a person's device in `epoch` is worth nothing any more.
    #[must_use]
    pub fn revokes(&self, sub: &Subject, device: PeerId, epoch: u64) -> bool {
        let subject = self.subjects.get(sub).copied().unwrap_or(0);
        let device = self.devices.get(&device).copied().unwrap_or(0);
        epoch < subject.max(device).max(self.floor)
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
        assert!(known.learn(&beacon(8, ana(8), 0)));
        assert!(known.covers(&credential));

        assert!(
            !known.learn(&beacon(3, vec![], 0)),
            "an old beacon changes nothing"
        );
        assert!(
            !known.learn(&beacon(8, ana(2), 0)),
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
        assert!(known.learn(&beacon(9, vec![], 9)));
        assert!(known.covers(&newer), "below the floor nobody is in");
    }

    #[test]
    fn more_revocations_than_are_remembered_make_it_stricter_not_forgetful() {
        let mut known = Revocations::default();
        for n in 0..=MAX_REMEMBERED as u64 {
            let who = RevokeTarget::Subject(format!("u{n}").parse().unwrap());
            known.learn(&beacon(n + 1, vec![Revoked { who, epoch: n + 1 }], 0));
        }

        assert_eq!(known.len(), 0);
        assert!(known.revokes(
            &"u0".parse().unwrap(),
            World::new().credential().cnf,
            MAX_REMEMBERED as u64
        ));
    }
}
