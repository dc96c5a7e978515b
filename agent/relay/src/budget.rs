//! How much one link may say: so many messages at once, and so many a second for long. Whoever says more is ended.
//! A message costs what it makes the relay do, so that a flood of the dear ones ends sooner than one of the cheap ones.

use crate::Limits;
use std::time::Duration;
use tidegate_proto::wire::link::ToRelay;
use tokio::time::Instant;

/// One signature.
const PASS: u32 = 32;
/// Up to some hundred signatures.
const CHAIN: u32 = 1024;

/// What a link may still say.
pub(crate) struct Budget {
    most: u32,
    a_second: u32,
    left: u32,
    since: Instant,
}

impl Budget {
    /// A full one, as the relay's bounds have it.
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            most: limits.messages_at_once,
            a_second: limits.messages_a_second.max(1),
            left: limits.messages_at_once,
            since: now,
        }
    }

    /// Takes what `message` costs; `false` when that is more than there is.
    #[must_use]
    pub(crate) fn spend(&mut self, message: &ToRelay, now: Instant) -> bool {
        self.refill(now);
        match self.left.checked_sub(cost(message)) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Instant) {
        let (rate, passed) = (
            u64::from(self.a_second),
            now.saturating_duration_since(self.since),
        );
        let whole =
            u64::try_from(passed.as_micros()).unwrap_or(u64::MAX) / (1_000_000 / rate).max(1);
        if whole >= u64::from(self.most - self.left) {
            (self.left, self.since) = (self.most, now);
        } else if let Ok(gained) = u32::try_from(whole) {
            self.left += gained;
            self.since += Duration::from_micros(whole * (1_000_000 / rate).max(1));
        }
    }
}

fn cost(message: &ToRelay) -> u32 {
    match message {
        ToRelay::Hello { .. } | ToRelay::Open { .. } | ToRelay::KeyTunnel { .. } => 1,
        ToRelay::Ping(_) => 1,
        ToRelay::NewPass { .. } => PASS,
        ToRelay::Chain { .. } => CHAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: fn() -> Instant = Instant::now;

    #[test]
    fn a_burst_is_free_and_a_flood_is_not() {
        let (limits, now) = (Limits::default(), NOW());
        let mut budget = Budget::new(&limits, now);
        let burst = (0..100_000).take_while(|_| budget.spend(&ToRelay::Ping(0), now));
        assert_eq!(burst.count(), limits.messages_at_once as usize);

        let later = now + Duration::from_secs(1);
        let more = (0..100_000).take_while(|_| budget.spend(&ToRelay::Ping(0), later));

        let more = more.count();
        assert!((1020..=1030).contains(&more), "{more}");
    }

    #[test]
    fn chains_are_dear() {
        let (limits, now) = (Limits::default(), NOW());
        let mut budget = Budget::new(&limits, now);
        let chain = ToRelay::Chain { json: vec![b'{'] };

        let taken = (0..100).take_while(|_| budget.spend(&chain, now)).count();

        assert_eq!(taken, (limits.messages_at_once / CHAIN) as usize);
    }

    #[test]
    fn a_day_of_pings_takes_no_time() {
        let begun = NOW();
        let mut budget = Budget::new(&Limits::default(), begun);

        for second in (0..86_400).step_by(10) {
            let now = begun + Duration::from_secs(second);
            assert!(budget.spend(&ToRelay::Ping(second), now));
        }
        assert!(budget.left >= budget.most - 1);
    }
}
