//! How often one key may be given something: each gift is a line in the record, and disks are finite.
//! Only keys that have passed every other check are counted, so a stranger cannot fill this either.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tidegate_proto::{identity::PeerId, time::UnixTime};

/// At once: a laptop that changes networks all the time asks often for a moment.
const BURST: u64 = 40;
/// Seconds until one more.
const EVERY: u64 = 4;

/// Counts what each key was given of late.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<PeerId, UnixTime>>);

impl Pace {
    /// Whether this key may have one more now; counts it if so.
    ///
    /// For each key the moment is kept at which everything will have been given back.
    pub(crate) fn allows(&self, key: PeerId, now: UnixTime) -> bool {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.retain(|_, at| now < *at && now.until(*at) <= BURST * EVERY);
        let at = full_at.get(&key).copied().unwrap_or(now).plus(EVERY);
        if now.until(at) > BURST * EVERY {
            return false;
        }
        full_at.insert(key, at);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tidegate_proto::identity::SigningKey;

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn key(n: u8) -> PeerId {
        SigningKey::from_seed(&[n; 32]).verify_key().peer_id()
    }

    #[test]
    fn a_burst_is_fine_and_a_flood_is_not() {
        let pace = Pace::default();

        for n in 0..BURST {
            assert!(pace.allows(key(1), NOW), "{n}");
        }
        assert!(!pace.allows(key(1), NOW));
        assert!(pace.allows(key(2), NOW), "others are not hindered");

        assert!(!pace.allows(key(1), NOW.plus(EVERY - 1)));
        assert!(pace.allows(key(1), NOW.plus(EVERY)));
        assert!(!pace.allows(key(1), NOW.plus(EVERY)));
    }

    #[test]
    fn a_week_of_renewals_leaves_nothing_behind() {
        let pace = Pace::default();

        for minute in 0..7 * 24 * 60 {
            assert!(pace.allows(key(1), NOW.plus(minute * 60)));
        }

        assert!(pace.allows(key(2), NOW.plus(8 * 86_400)));
        assert_eq!(pace.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_clock_that_went_back_locks_nobody_out() {
        let pace = Pace::default();
        for _ in 0..BURST {
            pace.allows(key(1), NOW);
        }

        assert!(pace.allows(key(1), NOW.minus(86_400)));
    }
}
