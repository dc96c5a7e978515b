//! What a beacon tells this device: the authority lives, my clock is right, I am still welcome.
//! Silence counts: after fifteen seconds without a beacon the authority is away, whatever the connection says.

use tidegate_proto::identity::{PeerId, VerifyKey};
use tidegate_proto::names::{OrgName, Subject};
use tidegate_proto::statement::{Beacon, RevokeTarget, Statement};
use tidegate_proto::time::{SKEW, UnixTime};

/// Who listens, and from which epoch the own credential is.
pub(crate) struct Listener {
    pub(crate) org: OrgName,
    pub(crate) authority: VerifyKey,
    pub(crate) subject: Subject,
    pub(crate) device: PeerId,
    pub(crate) epoch: u64,
}

/// What follows from a beacon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Fine,
    /// This computer's clock and the authority's are more than a minute apart.
    ClockOff,
    /// This person or device was revoked.
    Revoked,
    /// Everybody is asked for a newer credential; only who was revoked gets none.
    Stale,
    /// Not a beacon of this authority: as good as silence.
    Nothing,
}

impl Listener {
    pub(crate) fn hear(&self, jws: &str, now: UnixTime) -> Heard {
        let Ok(beacon) = Beacon::verify_for(jws, &self.authority, &self.org) else {
            return Heard::Nothing;
        };
        if self.is_revoked(&beacon) {
            return Heard::Revoked;
        }
        if self.epoch < beacon.floor {
            return Heard::Stale;
        }
        if now.until(beacon.at).max(beacon.at.until(now)) > SKEW {
            return Heard::ClockOff;
        }
        Heard::Fine
    }

    fn is_revoked(&self, beacon: &Beacon) -> bool {
        let me = |who: &RevokeTarget| match who {
            RevokeTarget::Subject(subject) => *subject == self.subject,
            RevokeTarget::Device(device) => *device == self.device,
        };
        beacon
            .revoked
            .iter()
            .any(|revoked| me(&revoked.who) && self.epoch < revoked.epoch)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::identity::SigningKey;
    use tidegate_proto::statement::{Newest, Revoked};

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[9; 32])
    }

    fn listener() -> Listener {
        Listener {
            org: "acme".parse().unwrap(),
            authority: key().verify_key(),
            subject: "00uana".parse().unwrap(),
            device: PeerId::new([1; 32]).unwrap(),
            epoch: 4,
        }
    }

    fn beacon(revoked: Vec<Revoked>, floor: u64) -> String {
        let beacon = Beacon {
            org: "acme".parse().unwrap(),
            epoch: 9,
            at: UnixTime(1000),
            versions: Newest::default(),
            revoked,
            floor,
        };
        beacon.sign(&key())
    }

    fn subject(name: &str, epoch: u64) -> Vec<Revoked> {
        vec![Revoked {
            who: RevokeTarget::Subject(name.parse().unwrap()),
            epoch,
        }]
    }

    #[test]
    fn a_revocation_of_me_after_my_credential_counts_and_no_other() {
        let now = UnixTime(1000);
        let device = vec![Revoked {
            who: RevokeTarget::Device(PeerId::new([1; 32]).unwrap()),
            epoch: 5,
        }];

        assert_eq!(
            listener().hear(&beacon(subject("00uana", 5), 0), now),
            Heard::Revoked
        );
        assert_eq!(listener().hear(&beacon(device, 0), now), Heard::Revoked);
        assert_eq!(
            listener().hear(&beacon(subject("00uana", 5), 6), now),
            Heard::Revoked
        );
        assert_eq!(
            listener().hear(&beacon(vec![], 5), now),
            Heard::Stale,
            "nobody said anything of me"
        );
        assert_eq!(
            listener().hear(&beacon(subject("00uana", 4), 4), now),
            Heard::Fine
        );
        assert_eq!(
            listener().hear(&beacon(subject("00ubob", 5), 0), now),
            Heard::Fine
        );
    }

    #[test]
    fn a_clock_that_is_ten_minutes_off_is_noticed_either_way() {
        for now in [UnixTime(1000 + 600), UnixTime(1000 - 600)] {
            assert_eq!(listener().hear(&beacon(vec![], 0), now), Heard::ClockOff);
        }
        assert_eq!(
            listener().hear(&beacon(vec![], 0), UnixTime(1030)),
            Heard::Fine
        );
    }

    #[test]
    fn somebody_elses_beacon_is_silence() {
        let other = Listener {
            authority: SigningKey::from_seed(&[8; 32]).verify_key(),
            ..listener()
        };

        assert_eq!(
            other.hear(&beacon(vec![], 0), UnixTime(1000)),
            Heard::Nothing
        );
        assert_eq!(listener().hear("x.y.z", UnixTime(1000)), Heard::Nothing);
    }
}
