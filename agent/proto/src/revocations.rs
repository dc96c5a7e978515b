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
